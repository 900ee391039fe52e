"""The answer to a sign-in and to a refresh."""

from fastapi import Request

from goodword.sessions.models import SignIn
from goodword.sessions.schemas import TokenRead


def token_answer(request: Request, signed_in: SignIn) -> TokenRead:
    """The tokens of a session, as they stand now."""
    state = request.app.state
    access = state.access_tokens.sign(
        user_id=signed_in.user_id,
        session_id=signed_in.id,
        client=signed_in.client,
        scope=signed_in.scope,
        now=state.clock(),
    )
    return TokenRead(
        access_token=access,
        expires_in=state.access_tokens.lifetime,
        refresh_token=state.refresh_tokens.write(signed_in.id, signed_in.counter),
        scope=signed_in.scope,
    )
