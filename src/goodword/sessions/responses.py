"""The token response of a sign-in and of a refresh."""

from fastapi import Request

from goodword.services import services_of
from goodword.sessions.models import UserSession
from goodword.sessions.schemas import TokenRead


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
