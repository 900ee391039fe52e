"""The whole schema in one place, for Alembic: importing this imports every model."""

from goodword.codes.models import ReferralCode
from goodword.db import Base
from goodword.idempotency import IdempotencyKey
from goodword.referrals.models import Referral
from goodword.sessions.models import SignIn, SigningKey
from goodword.users.models import User

__all__ = ["Base", "IdempotencyKey", "Referral", "ReferralCode", "SignIn", "SigningKey", "User"]
