"""What helps to review a held referral, beside its signals."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.events.models import OWN_TYPES, Event
from goodword.referrals.models import Referral
from goodword.risk.models import RiskSignal
from goodword.risk.review import Reviewed

MAX_EVENTS = 100
YOUNG_DAYS = 7
"""An account of a referrer that is younger than this speaks against a referral."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a referral and its people."""

    account_days: int
    """The age of the referrer's account when the new user signed up."""
    events: int = 0
    """What a server reported about the new user: at most `MAX_EVENTS`. A purchase costs money, a false account none."""
    shared: Mapping[str, int] = field(default_factory=dict)
    """Other referrals of the referrer with the same network or device, by the kind of the signal."""

    @property
    def is_young(self) -> bool:
        return self.account_days < YOUNG_DAYS


async def collect(session: AsyncSession, rows: Sequence[Reviewed]) -> Mapping[uuid.UUID, Evidence]:
    """Return the evidence by the id of the referral."""
    shared = await _shared(session, rows)
    return {
        row.id: Evidence(
            account_days=max(row.created_at - row.referrer.created_at, timedelta()).days,
            events=await session.scalar(
                _EVENTS, {"participant_id": row.referee.id, "program_id": row.referral.program_id}
            )
            or 0,
            shared={
                signal.kind: number - 1
                for signal in row.signals
                if signal.evidence_mac is not None
                and (number := shared.get((row.referrer.id, signal.kind, signal.evidence_mac), 0)) > 1
            },
        )
        for row in rows
    }


async def _shared(
    session: AsyncSession, rows: Iterable[Reviewed]
) -> Mapping[tuple[uuid.UUID, str, bytes], int]:
    """Return how many referrals of each referrer have the same evidence."""
    found = [
        (row.referrer.id, signal.evidence_mac)
        for row in rows
        for signal in row.signals
        if signal.evidence_mac
    ]
    if not found:
        return {}
    values = {"referrer_ids": [one for one, _ in found], "macs": [mac for _, mac in found]}
    return {
        (row.referrer_id, row.kind, row.evidence_mac): row.number
        for row in await session.execute(_SHARED, values)
    }


_SHARED: Any = (
    select(Referral.referrer_id, RiskSignal.kind, RiskSignal.evidence_mac, func.count().label("number"))
    .join(RiskSignal, RiskSignal.referral_id == Referral.id)
    .where(
        Referral.referrer_id.in_(bindparam("referrer_ids", expanding=True)),
        RiskSignal.evidence_mac.in_(bindparam("macs", expanding=True)),
    )
    .group_by(Referral.referrer_id, RiskSignal.kind, RiskSignal.evidence_mac)
)
_EVENTS = select(func.count()).select_from(
    select(Event.id)
    .where(
        Event.participant_id == bindparam("participant_id"),
        Event.program_id == bindparam("program_id"),
        Event.type.not_in(sorted(OWN_TYPES)),
        Event.refunds.is_(None),
    )
    .limit(MAX_EVENTS)
    .subquery()
)
