"""API to verify an address, and to reset a forgotten password, by e-mail."""

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
    summary="Request an e-mail to verify an address",
    status_code=202,
    dependencies=[limited("email")],
)
async def request_email_verification(
    body: EmailRequest, request: Request, session: Session, clock: Clock
) -> Accepted:
    """Send the e-mail of the registration again. Its link is valid for 24 hours, once.

    The response is the same whether or not there is an account. An address gets at most five an hour; more
    requests get 429. Only the latest link is valid.
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
    """Verify your address with the token in the e-mail. If you have a referrer, the referral is confirmed."""
    await credentials.verify_address(session, services_of(request), body.token, now=clock())


@router.post(
    "/password-resets",
    summary="Request an e-mail to reset a password",
    status_code=202,
    dependencies=[limited("email")],
)
async def request_password_reset(
    body: EmailRequest, request: Request, session: Session, clock: Clock
) -> Accepted:
    """Send a link to choose a new password. It is valid for 30 minutes, once.

    The response is the same whether or not there is an account. An address gets at most five an hour; more
    requests get 429. Only the latest link is valid.
    """
    await count_email(request, Purpose.RESET_PASSWORD, addresses.parse(body.email).key)
    credentials.request_email(session, Purpose.RESET_PASSWORD, body.email, now=clock())
    return Accepted()


@router.post(
    "/password-resets/confirm",
    summary="Reset a password",
    status_code=204,
    responses=problems(VerificationInvalid, *passwords.ERRORS),
    dependencies=[limited("email-token")],
)
async def reset_password(body: PasswordReset, request: Request, session: Session) -> None:
    """Set a new password with the token in the e-mail. All your sessions end.

    A rejected password does not use the token. A requested change of the address is cancelled.
    """
    await credentials.reset_password(session, services_of(request), body.token, body.password)
