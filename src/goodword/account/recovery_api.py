"""Prove an address, and get in again with a new password: for anyone, by letter."""

from fastapi import APIRouter, Request

from goodword.account import credentials
from goodword.account.schemas import Accepted, Confirmation, EmailRequest, PasswordReset
from goodword.rate_limits.dependencies import count_email, limited
from goodword.services import services_of
from goodword.users import addresses, passwords
from goodword.users.models import Purpose
from goodword.users.verifications import VerificationInvalid
from goodword.web.dependencies import Clock, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["Address and password"], route_class=JsonRoute)


@router.post(
    "/email-verifications",
    summary="Ask for a letter to verify an address",
    status_code=202,
    dependencies=[limited("email")],
)
async def request_email_verification(
    body: EmailRequest, request: Request, session: Session, clock: Clock
) -> Accepted:
    """Send another letter like the one of the registration. Its link is good for 24 hours, once.

    The answer is the same whether or not there is an account. An address gets five of them an hour at most,
    and the latest is the one that counts; whoever asks for more is told so (429).
    """
    await count_email(request, Purpose.VERIFY_EMAIL, addresses.parse(body.email).key)
    credentials.request_email(session, Purpose.VERIFY_EMAIL, body.email, now=clock())
    return Accepted()


@router.post(
    "/email-verifications/confirm",
    summary="Verify an address",
    status_code=204,
    responses=problems(VerificationInvalid),
    dependencies=[limited("email-token")],
)
async def verify_email(body: Confirmation, request: Request, session: Session, clock: Clock) -> None:
    """Show with the token of the letter that the address is yours. If a friend brought you, it counts now."""
    services = services_of(request)
    await credentials.verify_address(
        session,
        body.token,
        key=services.keys.one_time_tokens,
        settings=services.settings,
        now=clock(),
    )


@router.post(
    "/password-resets",
    summary="Ask for a letter to reset a password",
    status_code=202,
    dependencies=[limited("email")],
)
async def request_password_reset(
    body: EmailRequest, request: Request, session: Session, clock: Clock
) -> Accepted:
    """Send a link that lets you choose a new password. It is good for 30 minutes, once.

    The answer is the same whether or not there is an account. An address gets five of them an hour at most,
    and the latest is the one that counts; whoever asks for more is told so (429).
    """
    await count_email(request, Purpose.RESET_PASSWORD, addresses.parse(body.email).key)
    credentials.request_email(session, Purpose.RESET_PASSWORD, body.email, now=clock())
    return Accepted()


@router.post(
    "/password-resets/confirm",
    summary="Reset a password",
    status_code=204,
    responses=problems(
        VerificationInvalid,
        passwords.PasswordTooShort,
        passwords.PasswordTooLong,
        passwords.PasswordTooCommon,
        passwords.PasswordTooPersonal,
        passwords.HashingBusy,
    ),
    dependencies=[limited("email-token")],
)
async def reset_password(body: PasswordReset, request: Request, session: Session, clock: Clock) -> None:
    """Choose a new password with the token of the letter. You are signed out everywhere, here too.

    A password that is refused does not use the token up. A change of address that was asked for is dropped.
    """
    services = services_of(request)
    password_hash = await credentials.prepare_reset(
        services.database,
        services.passwords,
        token=body.token,
        password=body.password,
        key=services.keys.one_time_tokens,
        now=clock(),
    )
    await credentials.reset_password(
        session,
        body.token,
        password_hash=password_hash,
        key=services.keys.one_time_tokens,
        settings=services.settings,
        now=clock(),
    )
