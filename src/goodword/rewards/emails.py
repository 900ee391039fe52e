"""The e-mail to people whose rewards were approved: one for all of ten minutes.

A first job decides, once for a person and a period, and enqueues a second one, which sends.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.domain_events.events import RewardChanged
from goodword.domain_events.service import Handler as EventHandler
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery, unsubscribe
from goodword.mail.messages import MessageContents, MessageKind
from goodword.money import format_money
from goodword.rewards.models import Reward, RewardEntry, RewardKind, RewardStatus
from goodword.services import Services
from goodword.users import addresses
from goodword.users.addresses import Address
from goodword.users.models import User, UserStatus

DECIDE, SEND = "reward_approved", "send_reward_email"
PERIOD = timedelta(minutes=10)
"""Rewards of one period are in one e-mail."""
MARGIN = timedelta(minutes=1)
"""How long transactions of a period may last after its end."""
PAGE = "/rewards"
COUNTED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        RewardKind.POINTS: ("{} point", "{} points"),
        RewardKind.COUPON: ("{} coupon", "{} coupons"),
        RewardKind.CUSTOM: ("{} reward", "{} rewards"),
    },
    "ru": {
        RewardKind.POINTS: ("баллы: {}", "баллы: {}"),
        RewardKind.COUPON: ("купоны: {}", "купоны: {}"),
        RewardKind.CUSTOM: ("награды: {}", "награды: {}"),
    },
}
"""By language: one, and several."""


class _Recipient(NamedTuple):
    """An account with a verified address that has not unsubscribed."""

    user: User
    address: Address


async def on_reward_changed(session: AsyncSession, services: Services, changed: RewardChanged) -> None:
    """Plan the e-mail about a reward that was approved, if the person has an account."""
    if changed.change != RewardStatus.APPROVED or services.settings.reward_emails == "off":
        return
    if await session.scalar(_HAS_ACCOUNT, {"user_id": changed.user_id}) is None:
        return
    since = datetime.min.replace(tzinfo=changed.at.tzinfo)
    since = changed.at - (changed.at - since) % PERIOD
    payload, due = {"since": since.isoformat()}, since + PERIOD + MARGIN
    jobs.enqueue(session, DECIDE, payload, user_id=changed.user_id, run_at=due, now=changed.at)


async def decide(services: Services, job: ClaimedJob) -> None:
    """Enqueue the e-mail about the rewards of a period, once."""
    async with services.database.transaction() as session:
        if await _recipient(session, services, job) is not None:
            slot = f"{SEND} {job.user_id} {job.payload['since']}"
            now = services.clock()
            await jobs.enqueue_once(session, SEND, job.payload, slot=slot, user_id=job.user_id, now=now)


async def send(services: Services, job: ClaimedJob) -> None:
    """Send the e-mail, unless the person cannot or does not want to get it any more."""
    async with services.database.transaction() as session:
        found = await _recipient(session, services, job)
        earned = await _earned(session, found.user, job) if found is not None else None
        if found is None or earned is None or not await jobs.is_claimed(session, job):
            return
    settings = services.settings
    token = unsubscribe.make_token(services.keys.unsubscribe, found.address.canonical)
    contents = MessageContents(
        recipient=found.user.first_name,
        link=settings.page_link(PAGE),
        earned=earned,
        unsubscribe_link=f"{settings.public_url}/unsubscribe?token={token}",
    )
    await delivery.send(
        services,
        job,
        MessageKind.REWARD_EARNED,
        contents,
        to=found.address.text,
        language=found.user.language,
        about=[found.user.id],
    )


async def _recipient(session: AsyncSession, services: Services, job: ClaimedJob) -> _Recipient | None:
    """Return who can receive the e-mail, or None."""
    user: User | None = await session.scalar(_ACCOUNT, {"user_id": job.user_id})
    if user is None or user.email is None or services.settings.reward_emails == "off":
        return None
    address = addresses.parse(user.email)
    if await unsubscribe.is_unsubscribed(session, services.keys.unsubscribe, address.canonical):
        return None
    return _Recipient(user, address)


async def _earned(session: AsyncSession, user: User, job: ClaimedJob) -> str | None:
    """Return what was approved in the period and is left, or None if that is nothing."""
    since = datetime.fromisoformat(job.payload["since"])
    period = {"user_id": user.id, "since": since, "until": since + PERIOD}
    rows = (await session.execute(_APPROVED, period)).all()
    return _told(rows, user.language) if rows else None


def _told(rows: Any, language: str) -> str:
    """Return what was earned, such as `$4.99, 100 points`."""
    parts = []
    for row in rows:
        if row.kind == RewardKind.CREDIT:
            parts.append(format_money(language, int(row.amount_minor), row.currency))
        else:
            number = int(row.amount_minor) if row.kind == RewardKind.POINTS else row.rewards
            parts.append(COUNTED[language][row.kind][number != 1].format(number))
    return ", ".join(parts)


HANDLERS: Mapping[str, Handler] = {DECIDE: decide, SEND: send}
REACTIONS: Mapping[type, EventHandler] = {RewardChanged: on_reward_changed}

_ACCOUNT: Any = select(User).where(
    User.id == bindparam("user_id", type_=User.id.type),
    User.status == UserStatus.ACTIVE,
    User.verified_at.is_not(None),
)
_HAS_ACCOUNT = select(User.id).where(
    User.id == bindparam("user_id", type_=User.id.type), User.email.is_not(None)
)
_APPROVED = (
    select(
        Reward.kind,
        Reward.currency,
        func.sum(Reward.remaining_minor).label("amount_minor"),
        func.count().label("rewards"),
    )
    .join(RewardEntry, RewardEntry.reward_id == Reward.id)
    .where(
        Reward.user_id == bindparam("user_id"),
        Reward.status.in_((RewardStatus.APPROVED, RewardStatus.FULFILLED)),
        RewardEntry.to_status == RewardStatus.APPROVED,
        RewardEntry.from_status.is_distinct_from(RewardStatus.APPROVED),
        RewardEntry.created_at >= bindparam("since"),
        RewardEntry.created_at < bindparam("until"),
    )
    .group_by(Reward.kind, Reward.currency)
    .order_by(Reward.kind, Reward.currency)
)
