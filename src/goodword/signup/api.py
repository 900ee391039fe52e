"""API of registration."""

from fastapi import APIRouter, Request, Response

from goodword import languages
from goodword.providers.email_checks import EmailUndeliverable
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.signup import service
from goodword.signup.claims import claim_of
from goodword.signup.schemas import UserCreate
from goodword.users import passwords
from goodword.users.schemas import UserRead
from goodword.users.service import EmailTaken
from goodword.web.dependencies import Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.models import ANONYMOUS
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1/users", tags=["Registration"], route_class=JsonRoute)


@router.post(
    "",
    summary="Register",
    status_code=201,
    response_model=UserRead,
    responses=problems(
        EmailTaken,
        service.CodeNotUsable,
        service.CodeRequired,
        service.SignUpClosed,
        EmailUndeliverable,
        passwords.PasswordTooShort,
        passwords.PasswordTooLong,
        passwords.PasswordTooCommon,
        passwords.PasswordTooPersonal,
        passwords.HashingBusy,
        KeyReused,
        KeyInUse,
        location="/api/v1/me",
    ),
    dependencies=[limited("sign-up")],
)
async def register(
    body: UserCreate, request: Request, session: Session, once: IdempotentWriteDependency
) -> Response:
    """Create an account. With a `referral_code` the new user becomes a referral of the code's owner.

    The code can be given as people paste it: as a link, in any case, with spaces, hyphens, look-alikes (0/O, 1/I/L)
    or punctuation around it. If it cannot be used, the request fails and **no account is created**. Register again
    with another code, or without one.
    """
    services = services_of(request)
    claim = claim_of(request, body.referral_code, with_cookie=False)

    async def prepare() -> str:
        return await service.prepare(services, body, claim)

    async def effect(password_hash: str) -> Answer:
        await session.connection()  # wait for a connection before the clock is read
        language = languages.preferred_language(request.headers.get("accept-language"))
        user, referred_by = await service.sign_up(
            session, services, body, password_hash=password_hash, language=language, claim=claim
        )
        answer = UserRead(
            id=user.id,
            email=body.email,
            email_verified=False,
            first_name=user.first_name,
            last_name=user.last_name,
            created_at=user.created_at,
            referred_by=referred_by,
        )
        return Answer(answer, location="/api/v1/me", user_id=user.id)

    return await once.run(session, body, caller=ANONYMOUS, prepare=prepare, effect=effect)
