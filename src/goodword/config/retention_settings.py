"""How many days data is kept, where the operator may choose. `docs/data.md` lists the rest."""

from typing import Annotated

from pydantic import BaseModel, Field

Days = Annotated[int, Field(ge=1, le=3650)]


class RetentionSettings(BaseModel):
    """Days after which recurring jobs delete data."""

    keep_sessions: Days = 30
    """After they end."""
    keep_tokens: Days = 1
    """Tokens in e-mails, after they end."""
    keep_jobs: Days = 7
    keep_failed_jobs: Days = 30
    keep_audit_addresses: Days = 90
    """The network addresses of the audit log."""
    keep_email_checks: Annotated[int, Field(ge=1, le=90)] = 90
    """A check is not used any longer than 90 days."""
    keep_touches: Days = 30
    """After the attribution window of their program."""
    keep_touch_hashes: Days = 30
    """The keyed hashes of networks and user agents, of touches, signed-in users and risk signals."""
    keep_former_referees: Days = 730
    """The keyed hashes by which a referee who was erased is recognised."""
    keep_webhooks: Days = 30
    """Webhook events, their deliveries and attempts."""
    keep_emails: Days = 30
    """E-mails that are saved as files."""
