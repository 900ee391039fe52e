"""Why a code or a touch does not connect a person with a referrer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from goodword.codes.models import ReferralCode, Retirement
from goodword.programs.models import Program
from goodword.users import addresses
from goodword.users.models import User


class Reason(StrEnum):
    """The closed list of reasons. The first that holds, in this order, is given."""

    CODE_UNKNOWN = "code_unknown"
    CODE_EXPIRED = "code_expired"
    CODE_RETIRED = "code_retired"
    CODE_USED_UP = "code_used_up"
    PROGRAM_NOT_ACTIVE = "program_not_active"
    REFERRER_NOT_ACTIVE = "referrer_not_active"
    SELF_REFERRAL = "self_referral"
    ALREADY_REFERRED = "already_referred"
    REFERRAL_CYCLE = "referral_cycle"
    ALREADY_REGISTERED = "already_registered"


@dataclass(frozen=True, slots=True)
class Person:
    """The person who joins: a new one, or one who exists. Without a user, a new one who is not stored."""

    user: User | None
    is_new: bool
    email_keys: frozenset[str]
    """The person's addresses, verified or not."""
    mailbox: str | None
    """The canonical address, if the settings refuse referrals within one mailbox."""

    def joined_at(self, now: datetime) -> datetime:
        """Return the time to which the window of a touch and the grace of a code are measured."""
        if self.is_new and self.user is not None and self.user.signed_up_at is not None:
            return min(self.user.signed_up_at, now)
        return now

    def is_late(self, program: Program, now: datetime) -> bool:
        """Return whether the grace after the sign-up is over. The first report about a person is never late."""
        if self.user is None or self.is_new:
            return False
        grace = timedelta(seconds=program.late_entry_grace)
        return now - (self.user.signed_up_at or self.user.created_at) > grace

    def owns(self, owner: Any) -> bool:
        """Return whether the owner of a code is this person: the same one, or one with the same verified address."""
        return (
            (self.user is not None and self.user.id == owner.id)
            or (owner.verified_at is not None and owner.email_key in self.email_keys)
            or (self.mailbox is not None and self.mailbox in mailboxes_of(owner))
        )


def mailboxes_of(user: Any) -> list[str]:
    """Return the canonical addresses of a user: that of the account, and the reported one."""
    found = [user.email_canonical] if user.email_canonical is not None else []
    if user.reported_email is not None:
        found.append(addresses.parse(user.reported_email).canonical)
    return found


def of_code(
    code: ReferralCode, program: Program, owner: User, *, now: datetime, ended_since: datetime | None
) -> Reason | None:
    """Return why a code cannot be used by anyone, or None. With `ended_since`, it may have expired at that time or later."""
    expired = code.expires_at <= now if ended_since is None else code.expires_at < ended_since
    # A code that expired, or was used up, is retired when its owner activates another one.
    own_end = code.retired_reason in {Retirement.EXPIRED, Retirement.USED_UP} and code.deleted_at is None
    for reason, holds in (
        (Reason.CODE_UNKNOWN, code.activated_at is None),
        (Reason.CODE_EXPIRED, expired),
        (Reason.CODE_RETIRED, code.retired_at is not None and not own_end),
        (Reason.CODE_USED_UP, code.is_used_up()),
        (Reason.PROGRAM_NOT_ACTIVE, not program.is_running(now)),
        (Reason.REFERRER_NOT_ACTIVE, not owner.is_active),
    ):
        if holds:
            return reason
    return None
