"""What the ledger of `earnings.py` is about: people, referrals, events and rewards."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

ZONE, CURRENCY = ZoneInfo("America/New_York"), "USD"


def month_of(moment: datetime) -> str:
    return moment.astimezone(ZONE).strftime("%Y-%m")


@dataclass
class Person:
    id: str
    external_id: str
    signed_up_at: datetime
    erased: bool = False


@dataclass
class Referral:
    id: str
    referrer: Person
    referee: Person
    status: str
    made_at: datetime
    was_here_before: bool


@dataclass(frozen=True)
class Event:
    id: str
    type: str
    who: str
    at: datetime
    minor: int | None = None
    currency: str | None = None
    refunds: str | None = None


@dataclass
class Reward:
    terms: dict[str, Any]
    event: Event
    referral: Referral
    who: Person
    made_at: datetime
    available_at: datetime | None
    status: str = "pending"
    reference: str | None = None
    coupon: str | None = None
    entries: list[tuple[str | None, str, int]] = field(default_factory=list)

    @property
    def amount(self) -> int:
        return self.entries[0][2]

    @property
    def left(self) -> int:
        return sum(amount for _, _, amount in self.entries)

    @property
    def currency(self) -> str | None:
        return None if self.terms["kind"] == "points" else CURRENCY

    @property
    def month(self) -> str:
        return month_of(self.event.at)

    def shown(self) -> tuple[Any, ...]:
        """Return what the service shows of the reward."""
        names = (self.terms["kind"], self.terms["beneficiary"], self.status, self.amount, self.left)
        about = self.currency, self.who.id, self.referral.id, self.available_at, self.reference
        return *names, *about, self.coupon

    def becomes(self, status: str, amount: int = 0) -> None:
        self.entries.append((self.status if self.entries else None, status, amount))
        self.status = status

    def loses(self, amount: int, ended: str | None = None) -> None:
        gone = ended or ("reversed" if self.status == "fulfilled" else "canceled")
        if amount == self.left and self.status == "pending":
            self.coupon = None  # back in the pool
        self.becomes(gone if amount == self.left else self.status, -amount)
