"""What `attribution` decides and `referrals.service.record` stores."""

import uuid
from typing import NamedTuple

from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.referrals.models import AttributedBy


class Attributed(NamedTuple):
    """The code that was used for a person, and its owner."""

    code_id: uuid.UUID
    referrer_id: uuid.UUID
    referrer: str
    """The display name of the referrer."""
    referrer_external_id: str | None = None
    program_id: uuid.UUID = DEFAULT_PROGRAM_ID
    attributed_by: AttributedBy = AttributedBy.CODE
    touch_id: uuid.UUID | None = None
    code: str | None = None
    """The code as it is shown."""
    is_notified: bool = True
    """Whether the referrer has an account, and so gets e-mails."""
