"""Joining: the one place where a user, a code and a referral meet."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import code_format, lookup, service as codes
from goodword.config.settings import Settings
from goodword.errors import Unprocessable
from goodword.jobs import service as jobs
from goodword.providers import email_checks
from goodword.referrals import service as referrals
from goodword.services import Services
from goodword.signup.schemas import UserCreate
from goodword.users import addresses, service as users
from goodword.users.models import Purpose, User


class CodeNotUsable(Unprocessable):
    code, field = "code_not_usable", "body.referral_code"
    detail = "This referral code cannot be used. Ask your friend for another, or join without one."


class Joined(NamedTuple):
    """Somebody new, and the display name of whoever brought them."""

    user: User
    referred_by: str | None


async def prepare(services: Services, body: UserCreate) -> str:
    """The password's hash, once nothing speaks against the sign-up: a refusal should not cost a hash.

    Runs before the transaction, whose constraints decide again. Raises what `sign_up` raises, and
    the reasons against the password and the address.
    """
    database, passwords, now = services.database, services.passwords, services.clock()
    about = users.personal_words(body.email, body.first_name, body.last_name)
    await passwords.check(body.password, about=about)
    if await database.row(_BY_EMAIL, email_key=addresses.parse(body.email).key):
        raise users.EmailTaken
    if body.referral_code is not None:
        key = code_format.normalise(body.referral_code)
        if key is None or await lookup.look_up(database, key, now=now) is None:
            raise CodeNotUsable
    await email_checks.admit(services, body.email)
    return await passwords.hash(body.password)


async def sign_up(
    session: AsyncSession,
    body: UserCreate,
    *,
    password_hash: str,
    settings: Settings,
    language: str,
    clock: Callable[[], datetime],
) -> Joined:
    """A new account and, with a code, its referral: both or neither; and a letter to verify the address.

    Where letters are sent the referral waits for that; else nobody could answer one.
    Raises `EmailTaken`, and `CodeNotUsable` for a code that is unknown, expired, retired or used up.
    """
    redeemed = None
    if body.referral_code is not None:
        redeemed = await codes.redeem(session, body.referral_code, clock=clock)
        if redeemed is None:
            raise CodeNotUsable
    # Now that the code's owner is locked: the referrals of one owner are made in the order of their times,
    # and who reads them page by page, the oldest first, misses nobody.
    now = clock()
    user = await users.create(
        session,
        email=body.email,
        password_hash=password_hash,
        first_name=body.first_name,
        last_name=body.last_name,
        language=language,
        now=now,
    )
    actor.mark_authenticated(user.id)
    record(session, Action.USER_REGISTERED, Subject.USER, user.id, by="password")
    if redeemed is not None:
        await referrals.record(session, redeemed, user, confirmed=settings.smtp_url is None, now=now)
    jobs.enqueue(session, Purpose.VERIFY_EMAIL, {}, user_id=user.id, now=now)
    await email_checks.link(session, settings, user)
    for kind in email_checks.asked_about(settings):
        jobs.enqueue(session, kind, {}, user_id=user.id, now=now)
    return Joined(user, redeemed.referrer if redeemed else None)


_BY_EMAIL = select(User.id).where(User.email_key == bindparam("email_key"))
