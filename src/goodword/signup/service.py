"""Registration of users, with or without a referral code."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor
from goodword.attribution import records, service as attribution
from goodword.attribution.service import Claim, Refused
from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes import code_format, lookup, service as codes
from goodword.codes.schemas import CodeCreate
from goodword.config.settings import Settings
from goodword.db.transaction_hooks import run_after_commit
from goodword.domain_events import service as domain_events
from goodword.domain_events.events import UserCreated
from goodword.errors import AppError, Forbidden, Unprocessable
from goodword.jobs import service as jobs
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.providers import email_checks
from goodword.referrals.attributed import Attributed
from goodword.risk import service as risk
from goodword.services import Services
from goodword.signup.email_verification import mark_email_verified
from goodword.signup.schemas import UserCreate
from goodword.telemetry.metrics import SIGN_UPS, Metrics
from goodword.users import addresses, service as users
from goodword.users.models import Purpose, User

FIRST_CODE = {"lifetime": 30 * 24 * 60 * 60}


class CodeNotUsable(Unprocessable):
    code, field = "code_not_usable", "body.referral_code"
    detail = "This referral code cannot be used. Check it, or ask your friend for another."


class CodeRequired(Unprocessable):
    code, field = "code_required", "body.referral_code"
    detail = "Registration requires the referral code of a user."


class SignUpClosed(Forbidden):
    code, detail = "sign_up_closed", "Registration is closed."


class Registered(NamedTuple):
    user: User
    referred_by: str | None
    """The display name of the referrer."""


def ensure_open(settings: Settings, referral_code: str | None) -> None:
    """Raise `SignUpClosed` or `CodeRequired` if the settings do not allow a registration with this code."""
    if settings.sign_up == "off":
        raise SignUpClosed
    if settings.sign_up == "code" and referral_code is None:
        raise CodeRequired


async def prepare(services: Services, body: UserCreate, claim: Claim) -> str:
    """Validate a registration and return the hash of the password. `claim` has the code of `body`.

    Runs before the transaction, so that a refused registration costs no password hash. The transaction checks
    the address and the code again. Raises what `sign_up` raises, and the errors of the password and the address.
    """
    ensure_open(services.settings, body.referral_code)
    database, passwords = services.database, services.passwords
    await passwords.check(
        body.password, about=users.personal_words(body.email, body.first_name, body.last_name)
    )
    if await database.row(_BY_EMAIL, email_key=addresses.parse(body.email).key):
        raise users.EmailTaken
    if not claim.touch_ids:  # with a touch, a code that has expired can count
        await _check_code(services, body.referral_code)
    await attribution.prepare(services, claim)
    await email_checks.ensure_deliverable(services, body.email)
    return await passwords.hash(body.password)


async def other_errors(services: Services, given: Mapping[str, str]) -> list[AppError]:
    """Return the errors of the password and of the code in a form, which it has besides those of other fields."""
    words = users.personal_words(*(given.get(name) for name in ("email", "first_name", "last_name")))
    found: list[AppError] = []
    for check in (
        services.passwords.check(given.get("password", ""), about=words),
        _check_code(services, given.get("referral_code") or None),
    ):
        try:
            await check
        except AppError as error:
            found.append(error)
    return found


async def _check_code(services: Services, text: str | None) -> None:
    """Raise `CodeNotUsable` for the text of a code that is not usable now, and what `ensure_open` raises."""
    ensure_open(services.settings, text)
    if text is not None:
        key = code_format.normalise(text)
        if key is None or await lookup.find(services.database, key, now=services.clock()) is None:
            raise CodeNotUsable


async def sign_up(
    session: AsyncSession,
    services: Services,
    body: UserCreate,
    *,
    password_hash: str,
    language: str,
    claim: Claim | None = None,
) -> Registered:
    """Register a user with a password. `claim` has the code of `body`. Raises what `register` raises."""
    return await register(
        session,
        services,
        **body.model_dump(exclude={"password", "referral_code"}),
        password_hash=password_hash,
        language=language,
        claim=claim or Claim(body.referral_code),
    )


async def register(
    session: AsyncSession,
    services: Services,
    *,
    email: str,
    password_hash: str | None,
    first_name: str | None,
    last_name: str | None,
    language: str,
    claim: Claim,
    email_verified: bool = False,
) -> Registered:
    """Create an account and, with a code or a touch that counts, its referral.

    Unless a provider has verified the address, a job sends a verification e-mail, and others check the address if
    that is configured. The referral is confirmed when the address is verified, or at once if no mail server is
    configured, and is held if its risk is high. Raises `EmailTaken`, `SignUpClosed`, `CodeRequired`, and `CodeNotUsable` for a code that is unknown,
    expired, retired or used up. A touch that does not count is no error.
    """
    settings = services.settings
    ensure_open(settings, claim.code)
    found = await _attribute(session, services, claim, email)
    attributed = found if isinstance(found, Attributed) else None
    # The owner of the code is locked now. So referrals of one owner are created in the order of their times, and a
    # client that lists them oldest first misses none.
    now = services.clock()
    user = await users.create(
        session,
        email=email,
        password_hash=password_hash,
        first_name=first_name,
        last_name=last_name,
        language=language,
        now=now,
    )
    actor.mark_authenticated(user.id)
    by = "password" if password_hash else "identity"
    _count_after_commit(session, services.metrics, by)
    record(session, Action.USER_REGISTERED, Subject.USER, user.id, by=by)
    await domain_events.publish(session, services, UserCreated(user.id, now))
    if settings.first_code == "automatic":
        body = CodeCreate.model_validate(FIRST_CODE)
        await codes.create(session, services, user, body, now=now)
    if isinstance(found, Refused):
        await records.record_refusal(session, user, found.reason, found.code_id)
    if attributed is not None:
        confirmed = email_verified or settings.smtp_url is None
        await risk.refer(session, services, attributed, user, claim=claim, confirmed=confirmed, now=now)
    await email_checks.link(session, services, user)
    if email_verified:
        notifications.notify(session, user.id, MessageKind.WELCOME, now=now)
        await mark_email_verified(session, services, user, now=now)
    else:
        for kind in (Purpose.VERIFY_EMAIL, *email_checks.job_kinds(settings)):
            jobs.enqueue(session, kind, {}, user_id=user.id, now=now)
    return Registered(user, attributed.referrer if attributed else None)


async def _attribute(
    session: AsyncSession, services: Services, claim: Claim, email: str
) -> Attributed | Refused | None:
    """Use the code of a registration, or of a touch. Raises `CodeNotUsable` for a code, whatever the reason is."""
    address = addresses.parse(email)
    found = await attribution.attribute(
        session,
        services,
        claim,
        referee=None,
        email_key=address.key,
        mailbox=address.canonical,
        is_new=True,
        within=None,
    )
    if isinstance(found, Refused) and claim.has_code:
        raise CodeNotUsable
    return found


def _count_after_commit(session: AsyncSession, metrics: Metrics, way: str) -> None:
    async def count() -> None:
        metrics.add(SIGN_UPS, way)

    run_after_commit(session, count)


_BY_EMAIL = select(User.id).where(User.email_key == bindparam("email_key"))
