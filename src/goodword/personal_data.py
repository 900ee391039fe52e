"""The personal data of all features: what an erasure does to each table, and what an export contains of it."""

from collections.abc import Mapping, Sequence

from goodword.account import personal_data as account
from goodword.api_keys.models import ApiKey
from goodword.audit import personal_data as audit
from goodword.cache.lookup_cache import Epoch
from goodword.codes import personal_data as codes
from goodword.db.base import Base
from goodword.db.personal_data import PersonalData
from goodword.jobs import personal_data as jobs
from goodword.mail import personal_data as mail
from goodword.oauth import personal_data as oauth
from goodword.oauth.models import OAuthClient
from goodword.privacy.models import Tombstone
from goodword.programs.models import Program
from goodword.providers import personal_data as providers
from goodword.providers.models import ProviderState
from goodword.referrals import personal_data as referrals
from goodword.rewards import personal_data as rewards
from goodword.rewards.models import Coupon, RewardRule
from goodword.risk import personal_data as risk
from goodword.risk.models import FormerReferee
from goodword.sessions import personal_data as sessions
from goodword.sessions.models import SigningKey
from goodword.social import personal_data as social
from goodword.touches.models import Touch
from goodword.users import personal_data as users
from goodword.users.models import PasswordCost
from goodword.web import personal_data as web
from goodword.webhooks.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookSequence,
)

PERSONAL_DATA: Sequence[PersonalData] = (
    *users.PERSONAL_DATA,
    *jobs.PERSONAL_DATA,
    *referrals.PERSONAL_DATA,
    *risk.PERSONAL_DATA,
    *rewards.PERSONAL_DATA,
    *web.PERSONAL_DATA,
    *codes.PERSONAL_DATA,
    *account.PERSONAL_DATA,
    *providers.PERSONAL_DATA,
    *social.PERSONAL_DATA,
    *oauth.PERSONAL_DATA,
    *sessions.PERSONAL_DATA,
    *mail.PERSONAL_DATA,
    *audit.PERSONAL_DATA,
)
"""In the order of the export. An erasure goes backwards: it ends the sessions first, and clears the account last."""

NOT_PERSONAL: Mapping[type[Base], str] = {
    ApiKey: "keys of the servers of a product",
    Coupon: "the coupons of pools: the export names them with the rewards that have them",
    Epoch: "the version of the shared cache",
    FormerReferee: "keyed hashes of erased referees, by which they are recognised",
    OAuthClient: "apps, which the operator registers",
    PasswordCost: "the costs of imported password hashes, without the hashes",
    Program: "the terms of programs",
    RewardRule: "the terms of rewards",
    ProviderState: "the circuit breakers of providers",
    SigningKey: "keys of the service",
    Tombstone: "keyed hashes of erased accounts, which no longer have an owner",
    Touch: "clicks on links, which name no visitor: keyed hashes for 30 days",
    WebhookAttempt: "the time, status and duration of requests to webhook endpoints",
    WebhookDelivery: "which event goes to which webhook endpoint",
    WebhookEndpoint: "addresses of the servers of a product",
    WebhookEvent: "ids and states: external ids are added when an event is sent",
    WebhookSequence: "the number of events of each object",
}
"""Tables that hold no personal data, and what they hold."""
