"""API of changes of the password and the address."""

from fastapi import APIRouter, Request

from goodword.account import credentials, service
from goodword.account.schemas import Accepted, Confirmation, EmailChange, PasswordChange
from goodword.providers.email_checks import EmailUndeliverable, ensure_deliverable
from goodword.rate_limits.dependencies import count_email, limited
from goodword.services import services_of
from goodword.sessions.auth import Account
from goodword.sessions.throttle import TooManyAttempts
from goodword.users import addresses, passwords
from goodword.users.models import Purpose
from goodword.users.verifications import VerificationInvalid
from goodword.web.client_address import client_network
from goodword.web.dependencies import Clock, Session
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1/me", tags=["Address and password"], route_class=JsonRoute)


@router.put(
    "/password",
    summary="Change your password",
    status_code=204,
    responses=problems(service.WrongPassword, TooManyAttempts, *passwords.ERRORS),
)
async def change_password(body: PasswordChange, request: Request, caller: Account, session: Session) -> None:
    """Change your password. All your other sessions end, and you are notified by e-mail.

    Earlier links to reset the password or to change the address stop working.
    """
    await credentials.change_password(
        session,
        services_of(request),
        caller.user_id,
        current=body.current_password,
        new=body.new_password,
        session_id=caller.session_id,
        network=client_network(request),
    )


@router.post(
    "/email-changes",
    summary="Ask for another address",
    status_code=202,
    responses=problems(service.WrongPassword, EmailUndeliverable, TooManyAttempts, passwords.HashingBusy),
    dependencies=[limited("email")],
)
async def request_email_change(
    body: EmailChange, request: Request, caller: Account, session: Session, clock: Clock
) -> Accepted:
    """Send a message with a link to the new address. Confirm it within 24 hours to change your address.

    The response is the same if another account has the address. Its owner is notified, and nothing changes.
    """
    password_hash = await service.confirm_password(
        services_of(request), caller.user_id, body.password, network=client_network(request)
    )
    await count_email(request, Purpose.CHANGE_EMAIL, addresses.parse(body.email).key)
    await ensure_deliverable(services_of(request), body.email)
    await credentials.request_email_change(
        session, caller.user_id, body.email, password_hash=password_hash, now=clock()
    )
    return Accepted()


@router.post(
    "/email-changes/confirm",
    summary="Change your address",
    status_code=204,
    responses=problems(VerificationInvalid),
    dependencies=[limited("email-token")],
)
async def confirm_email_change(body: Confirmation, request: Request, session: Session, clock: Clock) -> None:
    """Confirm the new address with the token in the message, without signing in. The old address is notified."""
    await credentials.change_address(session, services_of(request), body.token, now=clock())
