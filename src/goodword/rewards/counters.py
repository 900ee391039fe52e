"""Counts of events and rewards for `/metrics`."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.transaction_hooks import run_after_commit
from goodword.domain_events.events import RewardChanged
from goodword.domain_events.service import Handler
from goodword.events.models import OWN_TYPES, Event
from goodword.rewards.models import RewardStatus
from goodword.services import Services
from goodword.telemetry.metrics import EVENTS, REWARDS


def count_event(session: AsyncSession, services: Services, event: Event) -> None:
    """Count an event after the commit. The types that a product reports are its own words, and no labels."""
    kind = event.type if event.type in OWN_TYPES else "reported"
    _count_after_commit(session, services, EVENTS, "refund" if event.refunds is not None else kind)


async def on_reward_changed(session: AsyncSession, services: Services, changed: RewardChanged) -> None:
    """Count the status that a reward has reached after the commit."""
    status = RewardStatus.PENDING.value if changed.change == "created" else str(changed.change)
    _count_after_commit(session, services, REWARDS, status)


HANDLERS: Mapping[type, Handler] = {RewardChanged: on_reward_changed}


def _count_after_commit(session: AsyncSession, services: Services, family: str, label: str) -> None:
    async def count() -> None:
        services.metrics.add(family, label)

    run_after_commit(session, count)
