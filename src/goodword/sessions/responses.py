"""The check of a password, and the token response of a sign-in and of a refresh."""

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.services import services_of
from goodword.sessions import service
from goodword.sessions.models import UserSession
from goodword.sessions.schemas import SessionCreate, TokenRead
from goodword.sessions.service import Authenticated
from goodword.web.client_address import client_network


async def check_password(request: Request, session: AsyncSession, body: SessionCreate) -> Authenticated:
    """Return the user with this address and password. Raises what `service.authenticate` raises."""
    services = services_of(request)
    return await service.authenticate(
        session,
        services.database,
        services.passwords,
        services.login_throttle,
        email=body.email,
        password=body.password,
        network=client_network(request),
        clock=services.clock,
    )


def token_answer(request: Request, signed_in: UserSession) -> TokenRead:
    """Return a new access token and the current refresh token of a session."""
    services = services_of(request)
    access = services.access_tokens.sign(
        user_id=signed_in.user_id,
        session_id=signed_in.id,
        client=signed_in.client,
        scope=signed_in.scope,
        now=services.clock(),
    )
    return TokenRead(
        access_token=access,
        expires_in=services.access_tokens.lifetime,
        refresh_token=services.refresh_tokens.write(signed_in.id, signed_in.counter),
        scope=signed_in.scope,
    )
