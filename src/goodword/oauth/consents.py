"""Store consents of users to apps, and issue authorization codes for them."""

import base64
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import hmac_of
from goodword.db.database import Database
from goodword.db.statements import insert_if_absent
from goodword.errors import TokenInvalid
from goodword.oauth import clients, scopes
from goodword.oauth.authorization_request import AuthorizationRequest
from goodword.oauth.models import OAuthCode, OAuthGrant
from goodword.sessions.models import UserSession
from goodword.users import service as users
from goodword.users.models import User

CODE_LIFETIME = timedelta(seconds=60)
CODES_KEPT = timedelta(days=1)
"""How long a used code is kept. A replay within this time ends the session that it was exchanged for."""


class ConsentRequired(Exception):
    """No consent covers the request, or it was revoked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the consent page asks the user, if it must."""

    email: str
    scopes: frozenset[str]
    """The requested scopes that this user can grant."""
    is_answered: bool


async def question(database: Database, request: AuthorizationRequest, user_id: uuid.UUID) -> Question:
    """Return what to ask the user. Raises `TokenInvalid`.

    The read takes no lock, so `is_answered` can be outdated: `issue` reads the consent again.
    """
    row = await database.row(_CONSENT, user_id=user_id, client_id=request.client.id)
    if row is None:
        raise TokenInvalid
    wanted = _givable(request.scopes, is_admin=row.is_admin)
    given = frozenset((row.scope or "").split())
    certain = request.client.is_certain_at(request.redirect_uri)
    return Question(row.email, wanted, certain and wanted <= given and "consent" not in request.prompt)


@dataclass(frozen=True, slots=True)
class Consent:
    """A user's consent to a request, given in a browser session."""

    user_id: uuid.UUID
    browser_session_id: uuid.UUID
    signed_in_at: datetime
    scopes: frozenset[str]
    """The scopes that the consent page showed, or that `question` found in an earlier consent."""
    once: str
    """The one-time value of the consent page. The same page submitted twice is one consent."""
    is_remembered: bool = False
    """Whether an earlier consent was used instead of asking."""


async def issue(
    session: AsyncSession, key: bytes, request: AuthorizationRequest, consent: Consent, *, now: datetime
) -> str | None:
    """Store the consent and return an authorization code, or None for a page that was submitted before.

    The code is derived from the page's one-time value, so a second submission yields the same code, which the
    unique index refuses.

    The consent is read again once the account is locked. Raises `TokenInvalid` if the browser session ended or
    the user lost a right, and `ConsentRequired` if an earlier consent was revoked (OpenID Connect Core §3.1.2.6).
    """
    user = await users.lock(session, consent.user_id)
    client = request.client
    granted = _givable(request.scopes & consent.scopes, is_admin=user.is_admin)
    begun_in = await session.get(UserSession, consent.browser_session_id)
    if not granted or begun_in is None or not begun_in.is_live(now):
        raise TokenInvalid
    place = {"user_id": user.id, "client_id": client.id}
    grant = await session.scalar(select(OAuthGrant).filter_by(**place))
    given = set(grant.scope.split()) if grant else set()
    if consent.is_remembered and not granted <= given:
        raise ConsentRequired
    await clients.keep_row(session, client, now=now)
    code = await _new_code(session, key, request, consent, granted, now=now)
    if code is None:
        return None
    if grant is None:
        session.add(OAuthGrant(**place, scope=scopes.text(granted), created_at=now))
    else:
        grant.scope = scopes.text(granted | given)
    await session.flush()
    record(
        session,
        Action.GRANT_GIVEN,
        Subject.CLIENT,
        client.id,
        person=user.id,
        client=client.client_id,
        scope=scopes.text(granted),
    )
    return code


async def _new_code(
    session: AsyncSession,
    key: bytes,
    request: AuthorizationRequest,
    consent: Consent,
    granted: frozenset[str],
    *,
    now: datetime,
) -> str | None:
    once = hmac_of(key, b"consent", consent.browser_session_id.bytes, consent.once.encode())
    code = "gwa_" + base64.urlsafe_b64encode(once).decode().rstrip("=")
    await session.execute(
        delete(OAuthCode).where(OAuthCode.user_id == consent.user_id, OAuthCode.expires_at < now - CODES_KEPT)
    )
    made = await insert_if_absent(
        session,
        OAuthCode,
        code_mac=code_mac(key, code),
        client_id=request.client.id,
        user_id=consent.user_id,
        redirect_uri=request.redirect_uri,
        scope=scopes.text(granted),
        code_challenge=request.code_challenge,
        nonce=request.nonce,
        id_token_claims=" ".join(sorted(request.id_token_claims)),
        signed_in_at=consent.signed_in_at,
        browser_session_id=consent.browser_session_id,
        expires_at=now + CODE_LIFETIME,
        created_at=now,
    )
    return code if made else None


def code_mac(key: bytes, code: str) -> bytes:
    """Return the HMAC under which a code is stored."""
    return hmac_of(key, b"code", code.encode())


def _givable(wanted: frozenset[str], *, is_admin: bool) -> frozenset[str]:
    # A user cannot grant more than their own rights. `scope` in the response tells the app (RFC 6749 §3.3).
    return wanted if is_admin else wanted - {"admin"}


_CONSENT = (
    select(User.email, User.is_admin, OAuthGrant.scope)
    .outerjoin(
        OAuthGrant, and_(OAuthGrant.user_id == User.id, OAuthGrant.client_id == bindparam("client_id"))
    )
    .where(User.id == bindparam("user_id"))
)
