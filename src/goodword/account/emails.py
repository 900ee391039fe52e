"""The jobs that send letters about an account. Each may run again: its token and its letters replace the first."""

import uuid
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery, messages, notifications
from goodword.mail.messages import MessageContents, MessageKind
from goodword.services import Services
from goodword.users import addresses, verifications
from goodword.users.models import Purpose, User, UserStatus

TOKENS = "one-time tokens"
"""The name of the key that their hashes are made with."""


async def verify_email(services: Services, work: ClaimedJob) -> None:
    """Ask somebody to show that their address is theirs, unless they did."""
    async with services.database.transaction() as session:
        user = await _account(session, work)
        if user is None or user.email is None or user.verified_at is not None:
            return
        token = await _issue(session, services, work, user, addresses.parse(user.email))
    if token:
        link = f"/verify-email#token={token}"
        await _send(
            services,
            work,
            MessageKind.VERIFY_EMAIL,
            to=user.email,
            language=user.language,
            about=user.id,
            link=link,
        )


async def reset_password(services: Services, work: ClaimedJob) -> None:
    """Let whoever reads the address of an account choose a new password."""
    async with services.database.transaction() as session:
        user = await _account(session, work)
        if user is None or user.email is None:
            return
        token = await _issue(session, services, work, user, addresses.parse(user.email))
    if token:
        link = f"/reset-password#token={token}"
        await _send(
            services,
            work,
            MessageKind.RESET_PASSWORD,
            to=user.email,
            language=user.language,
            about=user.id,
            link=link,
        )


async def change_email(services: Services, work: ClaimedJob) -> None:
    """Ask the new address, and tell the old one; or tell whoever has the new one already.

    All else is alike in both cases, for whoever asked must not find out: the old address gets its letter, an
    earlier token ends, the request counts. A token for an address that is taken is told to nobody.
    """
    address = addresses.parse(work.payload["email"])
    async with services.database.transaction() as session:
        user = await _account(session, work)
        if user is None or user.email is None:
            return
        taken = select(User).where(User.email_key == address.key, User.id != user.id)
        owner = await session.scalar(taken)
        token = await _issue(session, services, work, user, address)
        if token is not None:
            # A job of its own: a new address that takes no letters must not keep the old one in the dark.
            payload = {"letter": MessageKind.EMAIL_CHANGE_ASKED}
            slot, now = f"{MessageKind.EMAIL_CHANGE_ASKED} {work.id}", services.clock()
            await jobs.enqueue_once(session, notifications.KIND, payload, slot=slot, user_id=user.id, now=now)
    if token is None:
        return
    if owner is None:
        link = f"/confirm-email#token={token}"
        await _send(
            services,
            work,
            MessageKind.CHANGE_EMAIL,
            to=address.text,
            language=user.language,
            about=user.id,
            link=link,
        )
    elif owner.is_active and owner.email:
        await _send(
            services,
            work,
            MessageKind.ADDRESS_WANTED,
            to=owner.email,
            language=owner.language,
            about=owner.id,
        )


async def notice(services: Services, work: ClaimedJob) -> None:
    """Tell somebody what happened to their account."""
    async with services.database.transaction() as session:
        user = await _account(session, work)
    if user is not None and user.email is not None:
        to = work.payload.get("email", user.email)
        kind = MessageKind(work.payload["letter"])
        await _send(services, work, kind, to=to, language=user.language, about=user.id)


async def _account(session: AsyncSession, work: ClaimedJob) -> User | None:
    """The account that a job is about, by its id or its address, locked; None if there is nothing to do."""
    query = select(User).where(User.status == UserStatus.ACTIVE).with_for_update(key_share=True)
    if work.user_id is not None:
        user = await session.scalar(query.where(User.id == work.user_id))
    else:
        user = await session.scalar(query.where(User.email_key == work.payload["email_key"]))
    # Asked after the lock: the job may have been withdrawn while we waited for it.
    return user if await jobs.is_claimed(session, work) else None


async def _issue(
    session: AsyncSession,
    services: Services,
    work: ClaimedJob,
    user: User,
    address: addresses.Address,
) -> str | None:
    return await verifications.issue(
        session,
        user,
        Purpose(work.kind),
        address,
        job_id=work.id,
        keys=services.keys,
        now=services.clock(),
    )


async def _send(
    services: Services,
    work: ClaimedJob,
    kind: MessageKind,
    *,
    to: str,
    language: str,
    about: uuid.UUID,
    link: str | None = None,
) -> None:
    # The token stands in the link's fragment, which browsers send to nobody: no log and no scanner of links
    # gets to see it. The link begins with the setting, never with what a request calls this host.
    settings = services.settings
    letter = messages.build_message(
        kind,
        to=to,
        job_id=work.id,
        public_url=settings.public_url,
        now=services.clock(),
        language=language,
        sender=settings.mail_from,
        contents=MessageContents(link=settings.public_url + link if link else None),
    )
    await delivery.deliver(letter, settings, name=f"{kind}-{work.id}", about=[about])


HANDLERS: Mapping[str, Handler] = {
    Purpose.VERIFY_EMAIL: verify_email,
    Purpose.RESET_PASSWORD: reset_password,
    Purpose.CHANGE_EMAIL: change_email,
    notifications.KIND: notice,
}
