"""The jobs that send messages about an account. A job that runs again replaces its token and its message."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.jobs import service as jobs
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery, notifications
from goodword.mail.messages import MessageContents, MessageKind
from goodword.services import Services
from goodword.users import addresses, service as users, verifications
from goodword.users.addresses import Address
from goodword.users.models import Purpose, User

PATHS = {
    MessageKind.WELCOME: "/",
    MessageKind.ADDRESS_WANTED: "/sign-in",
    MessageKind.PASSWORD_CHANGED: "/forgot-password",
    MessageKind.SESSION_REPLAYED: "/sign-in",
    MessageKind.SIGN_IN_LOCKED: "/forgot-password",
}
"""Where messages without a token lead."""


async def send_link(services: Services, job: ClaimedJob) -> None:
    """Send the link that sets a new password or, unless it is verified, verifies the address of an account."""
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
        if user is None or user.email is None or (user.email_verified and job.kind == Purpose.VERIFY_EMAIL):
            return
        token = await _issue(session, services, job, user, addresses.parse(user.email))
    if token:
        path = f"/{job.kind.replace('_', '-')}#token={token}"
        await _send(services, job, MessageKind(job.kind), user, path=path)


async def change_email(services: Services, job: ClaimedJob) -> None:
    """Send the link to the new address and notify the old one, or notify the account that has the new address.

    Everything else is the same in both cases, so that the user does not learn of the other account.
    """
    address = addresses.parse(job.payload["email"])
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
        if user is None or user.email is None:
            return
        owner = await session.scalar(select(User).where(User.email_key == address.key, User.id != user.id))
        token = await _issue(session, services, job, user, address)
        if token is not None:
            # A separate job, which does not depend on the delivery to the new address.
            kind, now = MessageKind.EMAIL_CHANGE_ASKED, services.clock()
            payload, slot = {"message": kind}, f"{kind} {job.id}"
            await jobs.enqueue_once(session, notifications.KIND, payload, slot=slot, user_id=user.id, now=now)
    if token is not None and owner is None:
        path = f"/confirm-email#token={token}"
        await _send(services, job, MessageKind.CHANGE_EMAIL, user, to=address.text, path=path)
    elif token is not None and owner is not None and owner.is_active:
        await _send(services, job, MessageKind.ADDRESS_WANTED, owner)


async def notify(services: Services, job: ClaimedJob) -> None:
    """Send a notification to a user."""
    async with services.database.transaction() as session:
        user = await users.lock_for_job(session, job)
    if user is not None:
        kind, to, path = (
            MessageKind(job.payload["message"]),
            job.payload.get("email"),
            job.payload.get("path"),
        )
        await _send(services, job, kind, user, to=to, path=path)


async def _issue(
    session: AsyncSession, services: Services, job: ClaimedJob, user: User, address: Address
) -> str | None:
    purpose, now = Purpose(job.kind), services.clock()
    return await verifications.issue(
        session, user, purpose, address, job_id=job.id, keys=services.keys, now=now
    )


async def _send(
    services: Services,
    job: ClaimedJob,
    kind: MessageKind,
    user: User,
    *,
    to: str | None = None,
    path: str | None = None,
) -> None:
    # The token is in the fragment of the link, so it is in no log. The host is from the settings, not from the
    # request, which could name another one.
    to = to or user.email
    assert to is not None, "an active account has an address"
    path, settings = path or PATHS.get(kind), services.settings
    link = settings.page_link(path) if path == "/" else settings.public_url + path if path else None
    contents = MessageContents(recipient=user.first_name, link=link)
    await delivery.send(services, job, kind, contents, to=to, language=user.language, about=[user.id])


HANDLERS: Mapping[str, Handler] = {
    Purpose.VERIFY_EMAIL: send_link,
    Purpose.RESET_PASSWORD: send_link,
    Purpose.CHANGE_EMAIL: change_email,
    notifications.KIND: notify,
}
