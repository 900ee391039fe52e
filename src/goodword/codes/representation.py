"""A referral code in the API."""

from datetime import datetime

from goodword.codes import code_format
from goodword.codes.models import ReferralCode
from goodword.codes.schemas import CodeRead
from goodword.services import Services


def read(services: Services, code: ReferralCode, now: datetime) -> CodeRead:
    """Return a code as its owner sees it."""
    assert code.code is not None  # only a code of an erased owner has no text
    return CodeRead(
        code=code.code,
        status=code.status(now),
        link=code_format.link(services.settings.public_url, code.code),
        expires_at=code.expires_at,
        created_at=code.created_at,
        activated_at=code.activated_at,
        retired_at=code.retired_at,
        max_uses=code.max_uses,
        uses=code.uses,
        discoverable=code.discoverable,
    )
