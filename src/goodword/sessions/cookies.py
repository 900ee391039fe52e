"""A browser on our own pages: the cookies that name its session and its language, and the token of its forms."""

import hmac
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword import actor, languages
from goodword.crypto import Signer, hmac_of
from goodword.db.transaction_hooks import ACTOR
from goodword.services import services_of
from goodword.sessions import active, seen_clients, service
from goodword.sessions.actor_lock import Acting
from goodword.sessions.client_info import client_hashes_of, client_info_of
from goodword.sessions.models import UserSession
from goodword.sessions.tokens import ABSOLUTE
from goodword.users.models import User
from goodword.web.cookies import OwnCookie
from goodword.web.request_context import READS

CLIENT = "goodword-pages"
SCOPE = "pages"
"""A browser session has a cookie and no access token."""
LANGUAGE_KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who is signed in on the pages."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    signed_in_at: datetime
    used_at: datetime


class Cookies:
    """Writes and reads the session cookie, the tokens that bind a form to it, and the chosen language."""

    def __init__(self, key: bytes, public_url: str) -> None:
        self._key = key
        self._signer = Signer(key, "gwb_")
        self._session = OwnCookie("goodword", public_url)
        self._language = OwnCookie("goodword-language", public_url)
        self._touch = OwnCookie("goodword-touch", public_url)

    def write(self, response: Response, signed_in: UserSession) -> None:
        value = self._signer.sign(signed_in.id.bytes)
        self._session.write(response, value, max_age=int(ABSOLUTE.total_seconds()))

    def clear(self, response: Response) -> None:
        self._session.clear(response)

    def read(self, request: Request) -> uuid.UUID | None:
        """Return the session id in the cookie, if its signature is valid."""
        session_id = self._signer.verify(self._session.read(request))
        return uuid.UUID(bytes=session_id) if session_id is not None else None

    def language(self, request: Request) -> str:
        """Return the language chosen on this browser, or that of an app, or else the one in `Accept-Language`."""
        chosen = self._language.read(request)
        if chosen in languages.LANGUAGES:
            return chosen
        if requested := languages.first_supported(request.scope["state"].get(languages.UI_LOCALES, "")):
            return requested
        return languages.preferred_language(request.headers.get("accept-language"))

    def write_language(self, response: Response, language: str) -> None:
        self._language.write(response, language, max_age=int(LANGUAGE_KEPT.total_seconds()))

    def touch(self, request: Request) -> uuid.UUID | None:
        """Return the touch that this browser remembers, for a program with `remember_touch`."""
        try:
            return uuid.UUID(self._touch.read(request))
        except ValueError:
            return None

    def write_touch(self, response: Response, touch_id: uuid.UUID, *, seconds: int) -> None:
        self._touch.write(response, str(touch_id), max_age=seconds)

    def clear_touch(self, request: Request, response: Response) -> None:
        """Forget the touch once a person has registered."""
        if self._touch.read(request):
            self._touch.clear(response)

    def form_token(self, visitor: Visitor, *about: str) -> str:
        """Return the token of a hidden field, which protects the form against CSRF.

        It also signs `about`, other fields of the form.
        """
        fields = (field.encode() for field in about)
        return hmac_of(self._key, b"form", visitor.session_id.bytes, *fields).hex()

    def is_form_token(self, visitor: Visitor, token: str, *about: str) -> bool:
        return hmac.compare_digest(self.form_token(visitor, *about).encode(), token.encode())


async def visitor(request: Request) -> Visitor | None:
    """Return the visitor with an active session in this browser, or None. Records that the session is used.

    Call this before the transaction of the request begins.
    """
    found = await _find(request)
    if found is not None:
        services = services_of(request)
        request.state.shows_rewards = await services.reward_rules.exist()
        now = services.clock()
        if now - found.used_at >= active.RECORDED_EVERY:
            with suppress(SQLAlchemyError):  # pages can be read while nothing can be written
                async with services.database.transaction() as session:
                    await active.record_use(session, found.session_id, now=now)
                    if seen_clients.is_first_of_day(found.used_at, now):
                        seen_clients.record(session, found.user_id, client_hashes_of(request), now=now)
    return found


async def _find(request: Request) -> Visitor | None:
    services = services_of(request)
    session_id = services.page_cookies.read(request)
    if session_id is None:
        return None
    row = await service.find_active(services.database, session_id, now=services.clock())
    if row is None or row.client != CLIENT:
        return None
    actor.mark_authenticated(row.user_id, CLIENT)
    if request.method not in READS:
        request.scope["state"][ACTOR] = Acting(row.user_id, session_id, services.clock)
    return Visitor(row.user_id, session_id, row.created_at, row.rotated_at)


async def end_session(request: Request, session: AsyncSession, visitor: Visitor, *, now: datetime) -> None:
    """End the session of a browser. Authorized apps keep their access."""
    request.scope["state"].pop(ACTOR, None)  # two tabs that sign out at the same time both succeed
    await service.revoke_one(session, visitor.session_id, why="signed_out", now=now)


async def start_session(
    request: Request, session: AsyncSession, response: Response, user: User, *, now: datetime
) -> None:
    """Create the session of a browser, end the one that it had before, and write the cookie."""
    info = client_info_of(request)
    signed_in = await service.create(session, user, client=CLIENT, scope=SCOPE, client_info=info, now=now)
    seen_clients.record(session, user.id, client_hashes_of(request), now=now)
    previous = await _find(request)  # after the sign-in, whose audit events must not name the previous user
    if previous is not None:
        await service.revoke_one(session, previous.session_id, why="signed_in_anew", now=now)
    services_of(request).page_cookies.write(response, signed_in)
