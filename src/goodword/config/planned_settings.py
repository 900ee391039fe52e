"""Settings whose parts are not built yet: they are accepted, and `goodword config` says that they have no effect."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from goodword.config.setting_types import Switch, Words, check_origins


class PlannedSettings(BaseModel):
    """Move a field into `Settings` with the part that reads it."""

    embed_origins: Annotated[Words, AfterValidator(check_origins)] = ()
    capture_parameter: str = Field(default="ref", pattern="^[A-Za-z0-9_-]{1,32}$")

    loopback_webhooks: Switch = "off"
