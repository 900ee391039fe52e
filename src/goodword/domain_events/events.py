"""The domain events: facts that a feature publishes in the transaction that makes them true."""

import uuid
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class UserCreated:
    """A person registered, or was reported by a server."""

    user_id: uuid.UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class UserErased:
    user_id: uuid.UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class UsersMerged:
    """A participant became one with an account. Published before the rows of the participant are emptied."""

    former_id: uuid.UUID
    user_id: uuid.UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class CodeChanged:
    """A code was created, activated, retired, or noticed to have expired."""

    code_id: uuid.UUID
    owner_id: uuid.UUID
    program_id: uuid.UUID
    change: str
    """`created`, `activated`, `retired` or `expired`."""
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferralMade:
    """A person joined a program by a code or touch. The row is inserted just before the commit.

    `status` is `pending`, `held` or `confirmed`. `ReferralChanged` is not published for it.
    """

    referral_id: uuid.UUID
    program_id: uuid.UUID
    referrer_id: uuid.UUID
    referee_id: uuid.UUID
    status: str
    signed_up_at: datetime
    registered_before: bool
    """Whether the same person was referred before, and erased."""
    at: datetime


@dataclass(frozen=True, slots=True)
class CircleRefused:
    """A person entered the code of a user whom they had referred, directly or not, and was refused."""

    code_id: uuid.UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class ReferralChanged:
    """A referral has another status. The row has it already, and is locked with the referrer."""

    referral_id: uuid.UUID
    program_id: uuid.UUID
    referrer_id: uuid.UUID
    referee_id: uuid.UUID
    former: str
    status: str
    confirmed_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RewardChanged:
    """A reward was created, or has another status or amount."""

    reward_id: uuid.UUID
    program_id: uuid.UUID
    change: str
    """`created`, `approved`, `fulfilled`, `canceled` or `reversed`."""
    at: datetime
    user_id: uuid.UUID
    """Who gets the reward."""


DomainEvent = (
    UserCreated
    | UserErased
    | UsersMerged
    | CodeChanged
    | ReferralMade
    | CircleRefused
    | ReferralChanged
    | RewardChanged
)
