"""API of invitations: invite a friend, request a friend's code by e-mail, unsubscribe."""

from fastapi import APIRouter, Request, Response

from goodword import languages
from goodword.errors import TokenInvalid, Unauthorized
from goodword.invitations import service
from goodword.invitations.schemas import CodeEmailRequest, EmailAccepted, InvitationCreate, UnsubscribeRequest
from goodword.mail import unsubscribe
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.sessions.auth import Account, authenticate
from goodword.users import service as users
from goodword.web.client_address import client_network
from goodword.web.dependencies import Clock, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.models import ANONYMOUS
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1", tags=["Invitations"], route_class=JsonRoute)


@router.post(
    "/me/invitations",
    summary="Invite a friend by e-mail",
    status_code=202,
    response_model=EmailAccepted,
    responses=problems(service.NoActiveCode, service.TooManyEmails, KeyReused, KeyInUse),
)
async def invite_friend(
    body: InvitationCreate,
    request: Request,
    caller: Account,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Send an e-mail in your name with the link of your active code.

    The answer is the same for every address. No e-mail is sent to an address that has an account, has
    unsubscribed, has been invited by you before, or has received three invitations today. You can send 20
    invitations a day, or 3 before you verify your own address.
    """

    async def effect(_: None) -> Answer:
        sender = await users.lock(session, caller.user_id)
        await service.invite(session, services_of(request), sender, body.email, now=clock())
        return Answer(EmailAccepted(), user_id=sender.id, status=202)

    return await once.run(session, body, caller=str(caller.user_id), effect=effect)


@router.post(
    "/referral-code-emails",
    summary="Request a friend's code by e-mail",
    status_code=202,
    response_model=EmailAccepted,
    responses=problems(service.TooManyEmails, KeyReused, KeyInUse, Unauthorized, TokenInvalid),
    dependencies=[limited("email")],
)
async def request_code_email(
    body: CodeEmailRequest, request: Request, session: Session, clock: Clock, once: IdempotentWriteDependency
) -> Response:
    """Send yourself an e-mail with the code of the user with a given address, and the link to join.

    The answer is the same whether or not that user has a code. An address receives one such e-mail a day.
    """
    services = services_of(request)
    if services.settings.code_lookup == "authenticated":
        await authenticate(request)  # as for the look-up by e-mail address

    async def effect(_: None) -> Answer:
        if services.settings.code_lookup != "off":
            await service.request_code_email(
                session,
                services,
                referrer_email=body.referrer_email,
                email=body.email,
                network=client_network(request),
                language=languages.preferred_language(request.headers.get("accept-language")),
                now=clock(),
            )
        return Answer(EmailAccepted(), status=202)

    return await once.run(session, body, caller=ANONYMOUS, effect=effect)


@router.post(
    "/unsubscribes",
    summary="Unsubscribe",
    status_code=204,
    responses=problems(unsubscribe.UnsubscribeTokenInvalid),
    dependencies=[limited("email-token")],
)
async def unsubscribe_from_emails(
    body: UnsubscribeRequest, request: Request, session: Session, clock: Clock
) -> None:
    """Stop invitations, requested codes, and notifications about friends, with the token of an e-mail's link.

    No account is needed. E-mails about your own account are still sent.
    """
    await unsubscribe.unsubscribe(session, services_of(request).keys.unsubscribe, body.token, now=clock())
