"""Jobs that send e-mails about codes and referrals: most of them are caused by another user than the recipient.

A first job decides whether to send the e-mail. In one transaction it counts against the quotas and enqueues a second
job, once, which sends it. A retry after a failure therefore neither counts nor decides again.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import code_format, lookup
from goodword.codes.models import ReferralCode
from goodword.codes.service import usable_code
from goodword.invitations.service import CODE_EMAIL, DAY, INVITATION
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.languages import format_time
from goodword.mail import delivery, messages, notifications, unsubscribe
from goodword.mail.messages import MessageContents, MessageKind
from goodword.rate_limits import quotas
from goodword.rate_limits.quotas import QuotaExceeded
from goodword.services import Services
from goodword.users import addresses, service as users
from goodword.users.addresses import Address
from goodword.users.models import User, UserStatus

SEND_EMAIL = "send_email"
TO_FRIENDS = frozenset({MessageKind.INVITATION, MessageKind.CODE_REQUESTED})
"""These go to addresses without an account. The others go to users about their own codes and referrals."""
EXTEND = "extend"
"""The query parameter of the home page that opens the form which extends the code, and the id of that form."""
PATHS = {
    MessageKind.FRIEND_JOINED: "/people",
    MessageKind.CODE_EXPIRING: f"/?{EXTEND}#{EXTEND}",
}
"""The pages that e-mails to users link to. The others link to the home page."""
NEED_CODE = TO_FRIENDS | {MessageKind.CODE_EXPIRING}

log = structlog.get_logger("goodword.mail")


class Quota(NamedTuple):
    """The number of e-mails that may be sent in a period within one scope."""

    scope: tuple[str, ...]
    limit: int
    period: timedelta = DAY


GLOBAL_QUOTA = Quota(("global",), 2_000)
"""Limits what an attacker with many accounts can send to strangers from this server."""


async def handle_invitation(services: Services, job: ClaimedJob) -> None:
    """Decide whether to send an invitation. The sender does not learn the result."""
    address = addresses.parse(job.payload["email"])
    async with services.database.readers() as session:
        if await users.has_address(session, address):
            return
    limits = (
        Quota((INVITATION, "from", str(job.user_id), "to", address.canonical), 1, timedelta(days=365)),
        Quota((INVITATION, "to", address.canonical), 3),
        GLOBAL_QUOTA,
    )
    language = job.payload["language"]
    await _enqueue(services, job, MessageKind.INVITATION, address, language, limits)


async def handle_code_request(services: Services, job: ClaimedJob) -> None:
    """Decide whether to send a requested code: only if the referrer has one that can be looked up.

    Tell the referrer, without the address of the friend, if it was sent or if there is no code to send.
    """
    address, referrer_key = addresses.parse(job.payload["email"]), job.payload["referrer_key"]
    now = services.clock()
    found = await lookup.find_by_email(services.database, referrer_key, now=now)
    async with services.database.readers() as session:
        active = select(User).where(User.email_key == referrer_key, User.status == UserStatus.ACTIVE)
        owner = await session.scalar(active)
        if owner is None or owner.email is None:
            return
        is_hidden = found is None and await usable_code(session, owner.id, now=now) is not None
    if is_hidden:
        return
    if found is not None:
        kind, limits = MessageKind.CODE_REQUESTED, _once_a_day(CODE_EMAIL, address)
        language = job.payload["language"]
        if not await _enqueue(services, job, kind, address, language, limits, user_id=owner.id):
            return
    own, kind = addresses.parse(owner.email), MessageKind.CODE_WANTED
    limits = _once_a_day(kind, own)
    await _enqueue(services, job, kind, own, owner.language, limits, user_id=owner.id)


async def handle_friend_joined(services: Services, job: ClaimedJob) -> None:
    """Decide whether to notify a referrer of a referral: not of each, if there are many."""
    async with services.database.readers() as session:
        referrer = await _active(session, job.user_id)
    if referrer is None or referrer.email is None:
        return
    address, kind = addresses.parse(referrer.email), MessageKind.FRIEND_JOINED
    limits = (Quota(quotas.user_scope(kind, referrer.id), 10),)
    payload = {"referee_id": job.payload["referee_id"]}
    await _enqueue(services, job, kind, address, referrer.language, limits, payload=payload)


def _once_a_day(kind: str, address: Address) -> tuple[Quota, ...]:
    return (Quota((kind, "to", address.canonical), 1), GLOBAL_QUOTA)


async def send(services: Services, job: ClaimedJob) -> None:
    """Send the e-mail, unless one of the users is no longer active or the code is no longer usable."""
    address, kind = addresses.parse(job.payload["email"]), MessageKind(job.payload["message"])
    language, now = job.payload["language"], services.clock()
    async with services.database.transaction() as session:
        owner = await _active(session, job.user_id)
        if owner is None or await unsubscribe.is_unsubscribed(
            session, services.keys.unsubscribe, address.canonical
        ):
            return
        if kind == MessageKind.FRIEND_JOINED:
            friend, code = await _active(session, uuid.UUID(job.payload["referee_id"])), None
        else:
            friend, code = owner, await usable_code(session, owner.id, now=now)
        if not await jobs.is_claimed(session, job):
            return
    if friend is None or (code is None and kind in NEED_CODE):
        return
    if kind == MessageKind.CODE_REQUESTED and not (code and code.discoverable):
        return
    if (
        kind == MessageKind.CODE_EXPIRING
        and code
        and code.expires_at.isoformat() != job.payload["expires_at"]
    ):
        return  # it was extended, or replaced
    contents = _contents(services, kind, address, owner, friend, code, language)
    about = [owner.id, friend.id]
    await delivery.send(services, job, kind, contents, to=address.text, language=language, about=about)


async def _enqueue(
    services: Services,
    job: ClaimedJob,
    kind: MessageKind,
    address: Address,
    language: str,
    limits: tuple[Quota, ...],
    *,
    user_id: uuid.UUID | None = None,
    payload: Mapping[str, str] | None = None,
) -> bool:
    """Enqueue the job that sends the e-mail. Return whether it is sent, now or by an earlier attempt."""
    key, now = services.keys.quotas, services.clock()
    common = {"message": kind, "email": address.text, "email_key": address.key, "language": language}
    payload = {**common, **(payload or {})}
    slot, user_id = f"{kind} {job.id}", user_id or job.user_id
    try:
        async with services.database.transaction() as session:
            if await unsubscribe.is_unsubscribed(session, services.keys.unsubscribe, address.canonical):
                return False
            if not await jobs.enqueue_once(session, SEND_EMAIL, payload, slot=slot, user_id=user_id, now=now):
                return True  # an earlier attempt committed this transaction
            for scope, limit, period in limits:
                await quotas.take(session, key, *scope, limit=limit, period=period, now=now)
    except QuotaExceeded:
        log.warning("e-mail not sent: quota used up", kind=kind, id=str(job.id))
        return False
    return True


def _contents(
    services: Services,
    kind: MessageKind,
    address: Address,
    owner: User,
    friend: User,
    code: ReferralCode | None,
    language: str,
) -> MessageContents:
    settings, name = services.settings, ""
    if friend.first_name or friend.last_name:
        name = friend.display_name
    if kind in TO_FRIENDS and code:
        link: str | None = code_format.link(settings.public_url, code.code or "")
    else:
        link = settings.page_link(PATHS.get(kind, "/"))
    left = code.expires_at - services.clock() if code else None
    token = unsubscribe.make_token(services.keys.unsubscribe, address.canonical)
    return MessageContents(
        recipient=None if kind in TO_FRIENDS else owner.first_name,
        link=link,
        code=code.code if code else None,
        expires_at=format_time(language, code.expires_at) if code else None,
        days=max(1, round(left / DAY)) if left else None,
        name=messages.safe_name(name, language),
        unsubscribe_link=f"{settings.public_url}/unsubscribe?token={token}",
    )


async def _active(session: AsyncSession, user_id: uuid.UUID | None) -> User | None:
    return await session.scalar(select(User).where(User.id == user_id, User.status == UserStatus.ACTIVE))


HANDLERS: Mapping[str, Handler] = {
    notifications.FRIEND_JOINED: handle_friend_joined,
    INVITATION: handle_invitation,
    CODE_EMAIL: handle_code_request,
    SEND_EMAIL: send,
}
