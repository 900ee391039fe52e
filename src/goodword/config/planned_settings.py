"""Settings whose parts are not built yet: they are accepted, and `goodword config` says that they have no effect."""

from pydantic import BaseModel

from goodword.config.setting_types import Switch


class PlannedSettings(BaseModel):
    """Move a field into `Settings` with the part that reads it."""

    loopback_webhooks: Switch = "off"
