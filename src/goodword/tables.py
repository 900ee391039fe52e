"""All models. Importing this module completes the metadata of the schema."""

# ruff: noqa: F401

from goodword.api_keys.models import ApiKey
from goodword.audit.models import AuditEvent
from goodword.cache.lookup_cache import Epoch
from goodword.codes.models import ReferralCode
from goodword.db.base import Base
from goodword.events.models import Event
from goodword.jobs.models import Job
from goodword.mail.models import Unsubscribe
from goodword.oauth.models import OAuthClient, OAuthCode, OAuthGrant
from goodword.privacy.models import Tombstone
from goodword.programs.models import Program
from goodword.providers.models import EmailCheck, Profile, ProviderState
from goodword.rate_limits.models import Quota
from goodword.referrals.models import Referral
from goodword.rewards.models import Coupon, Reward, RewardEntry, RewardRule
from goodword.risk.models import FormerReferee, Review, RiskSignal
from goodword.sessions.models import LoginFailures, SeenClient, SigningKey, UserSession
from goodword.social.models import Identity
from goodword.touches.models import Touch
from goodword.users.models import PasswordCost, User, Verification
from goodword.web.models import IdempotencyKey
from goodword.webhooks.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookSequence,
)

__all__ = ["Base"]
