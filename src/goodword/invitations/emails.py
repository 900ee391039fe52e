"""The jobs behind letters that one person causes another to get: first whether, then the letter itself.

The decision is one transaction, which takes from the quotas and leaves a job to send the letter, once: so an
attempt that fails, at the mail server above all, neither counts twice nor decides anew.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.codes import lookup
from goodword.codes.models import ReferralCode
from goodword.codes.service import usable_code
from goodword.invitations.service import CODE_EMAIL, DAY, INVITATION
from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery, messages, notifications, quotas, unsubscribe
from goodword.mail.messages import MessageContents, MessageKind
from goodword.mail.quotas import QuotaUsedUp
from goodword.services import Services
from goodword.users import addresses, service as users
from goodword.users.addresses import Address
from goodword.users.models import User, UserStatus

SEND = "letter_to_another"

log = structlog.get_logger("goodword.mail")


class Quota(NamedTuple):
    """How many letters may go out in a period, of those that share the scope."""

    scope: tuple[str, ...]
    limit: int
    period: timedelta = DAY


IN_ALL = Quota(("in all",), 2_000)
"""Letters to strangers: the most that somebody with a thousand accounts gets out of this server in a day."""


async def decide_invitation(services: Services, work: ClaimedJob) -> None:
    """Whether somebody who was invited gets the letter. Nobody learns the answer."""
    address = addresses.parse(work.payload["email"])
    async with services.database.readers() as session:
        if await users.has_address(session, address):
            return  # they are here already
    await _decide(
        services,
        work,
        MessageKind.INVITATION,
        address,
        language=work.payload["language"],
        quotas_=(
            Quota((INVITATION, "from", str(work.user_id), "to", address.canonical), 1, timedelta(days=365)),
            Quota((INVITATION, "to", address.canonical), 3),
            IN_ALL,
        ),
    )


async def decide_code_letter(services: Services, work: ClaimedJob) -> None:
    """Whether somebody who asked for a friend's code gets it: if the friend has one that can be looked up."""
    address = addresses.parse(work.payload["email"])
    referrer_key = work.payload["referrer_key"]
    if await lookup.look_up_by_email(services.database, referrer_key, now=services.clock()) is None:
        return
    async with services.database.readers() as session:
        owner = await session.scalar(select(User).where(User.email_key == referrer_key))
    if owner is None:
        return
    await _decide(
        services,
        work,
        MessageKind.CODE_ASKED_FOR,
        address,
        language=work.payload["language"],
        user_id=owner.id,
        quotas_=(Quota((CODE_EMAIL, "to", address.canonical), 1), IN_ALL),
    )


async def decide_friend_joined(services: Services, work: ClaimedJob) -> None:
    """Whether a referrer is told of a friend: not of each, when there are many."""
    async with services.database.readers() as session:
        referrer = await _active(session, work.user_id)
    if referrer is None or referrer.email is None:
        return
    await _decide(
        services,
        work,
        MessageKind.FRIEND_JOINED,
        addresses.parse(referrer.email),
        language=referrer.language,
        payload={"referee_id": work.payload["referee_id"]},
        quotas_=(Quota((MessageKind.FRIEND_JOINED, "to", str(referrer.id)), 10),),
    )


async def send(services: Services, work: ClaimedJob) -> None:
    """The letter itself, if it is still true: a code that ended meanwhile, or a friend who left, is none."""
    address, kind = addresses.parse(work.payload["email"]), MessageKind(work.payload["letter"])
    language, now = work.payload["language"], services.clock()
    async with services.database.transaction() as session:
        owner = await _active(session, work.user_id)
        if owner is None or await unsubscribe.is_unsubscribed(
            session, services.keys.unsubscribe, address.canonical
        ):
            return
        if kind == MessageKind.FRIEND_JOINED:
            about, code = await _active(session, uuid.UUID(work.payload["referee_id"])), None
        else:
            about, code = owner, await usable_code(session, owner.id, now=now)
        if not await jobs.is_wanted(session, work):
            return
    if about is None or (code is None and kind != MessageKind.FRIEND_JOINED):
        return
    if kind == MessageKind.CODE_ASKED_FOR and not (code and code.discoverable):
        return
    contents = _contents(services, address, about, code, language)
    letter = messages.build_message(
        kind,
        to=address.text,
        job_id=work.id,
        public_url=services.settings.public_url,
        now=now,
        language=language,
        sender=services.settings.mail_from,
        contents=contents,
    )
    await delivery.deliver(letter, services.settings, name=f"{kind}-{work.id}", about=[owner.id, about.id])


async def _decide(
    services: Services,
    work: ClaimedJob,
    letter: MessageKind,
    address: Address,
    *,
    language: str,
    quotas_: tuple[Quota, ...],
    user_id: uuid.UUID | None = None,
    payload: Mapping[str, str] | None = None,
) -> None:
    key, now = services.keys.mail_quotas, services.clock()
    given = {"letter": letter, "email": address.text, "email_key": address.key, "language": language}
    try:
        async with services.database.transaction() as session:
            if await unsubscribe.is_unsubscribed(session, services.keys.unsubscribe, address.canonical):
                return
            slot = f"{SEND} {work.id}"
            if not await jobs.enqueue_once(
                session,
                SEND,
                {**given, **(payload or {})},
                slot=slot,
                user_id=user_id or work.user_id,
                now=now,
            ):
                return  # an earlier attempt got as far as this
            for scope, limit, period in quotas_:
                await quotas.take(session, key, *scope, limit=limit, period=period, now=now)
    except QuotaUsedUp:
        log.warning("letter not sent: there were enough", letter=letter, id=str(work.id))


def _contents(
    services: Services, address: Address, about: User, code: ReferralCode | None, language: str
) -> MessageContents:
    site, string = services.settings.public_url, code.code if code else None
    token = unsubscribe.token(services.keys.unsubscribe, address.canonical)
    return MessageContents(
        link=f"{site}/r/{string}" if string else None,
        code=string,
        name=messages.shown_name(about.display_name if about.first_name or about.last_name else "", language),
        unsubscribe_link=f"{site}/letters/refuse?token={token}",
    )


async def _active(session: AsyncSession, user_id: uuid.UUID | None) -> User | None:
    return await session.scalar(select(User).where(User.id == user_id, User.status == UserStatus.ACTIVE))


HANDLERS: Mapping[str, Handler] = {
    notifications.FRIEND_JOINED: decide_friend_joined,
    INVITATION: decide_invitation,
    CODE_EMAIL: decide_code_letter,
    SEND: send,
}
