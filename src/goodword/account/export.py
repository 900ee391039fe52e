"""Everything that is held about one person, for that person (GDPR articles 15 and 20), and nothing of others.

Written out section by section and page by page, so that it takes the same memory for any number of rows.
`tests/account/test_export.py` holds it against every table there is.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Integer, Row, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import Actor
from goodword.audit.actions import Action, Subject
from goodword.audit.models import AuditEvent
from goodword.audit.service import record
from goodword.codes.models import ReferralCode
from goodword.config.settings import Settings
from goodword.crypto import derive_key
from goodword.db.base import Base
from goodword.db.database import Database
from goodword.db.keyset import Position
from goodword.invitations.service import INVITATION
from goodword.jobs.models import Job
from goodword.mail import unsubscribe
from goodword.mail.messages import MessageKind
from goodword.oauth.models import OAuthClient, OAuthCode, OAuthGrant
from goodword.providers import email_checks
from goodword.providers.profiles import of as profile_of
from goodword.providers.schemas import ProfileRead
from goodword.rate_limits import quotas
from goodword.referrals import service as referrals
from goodword.referrals.schemas import Order
from goodword.sessions import throttle
from goodword.sessions.models import UserSession
from goodword.social.models import Identity
from goodword.users import addresses, service as users, verifications
from goodword.users.models import Purpose, User, Verification, display_name, masked
from goodword.web.idempotency import IdempotencyKey

PAGE = 500
FILE = {"Content-Disposition": 'attachment; filename="goodword-export.json"'}
"""The headers that make a browser keep the document."""

Item = Callable[[uuid.UUID, Row[Any]], Mapping[str, Any]]


async def begin(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Note that somebody takes their data with them. Raises `TokenInvalid`. `document` follows the commit."""
    await users.get(session, user_id)
    record(session, Action.USER_EXPORTED, Subject.USER, user_id)


async def document(
    database: Database, settings: Settings, user_id: uuid.UUID, *, now: datetime
) -> AsyncIterator[bytes]:
    """One JSON object, in pieces."""
    yield b'{"exported_at":' + to_json(now)
    for name, value in (await _account(database, settings, user_id)).items():
        yield f',"{name}":'.encode() + to_json(value)
    yield b',"referrals":['
    async for piece in _friends(database, user_id):
        yield piece
    yield b"]"
    for name, query, item in _LISTS:
        yield f',"{name}":['.encode()
        async for piece in _items(database, query, item, user_id):
            yield piece
        yield b"]"
    yield b"}"


async def _account(database: Database, settings: Settings, user_id: uuid.UUID) -> dict[str, Any]:
    """What there is one of."""
    async with database.readers() as session:
        user = await users.get(session, user_id)
        assert user.email is not None, "an active account has an address"
        address = addresses.parse(user.email)
        known = await email_checks.known_of(session, settings, user.email)
        profile = await profile_of(session, user_id)
        refused = await unsubscribe.is_unsubscribed(
            session, derive_key(settings.secret, unsubscribe.KEY), address.canonical
        )
        return {
            "account": {
                "id": user.id,
                "email": user.email,
                "email_key": user.email_key,
                "email_canonical": user.email_canonical,
                "first_name": user.first_name,
                "last_name": user.last_name,
                "language": user.language,
                "status": user.status,
                "is_admin": user.is_admin,
                "has_password": user.password_hash is not None,
                "created_at": user.created_at,
                "verified_at": user.verified_at,
            },
            "referred_by": await referrals.referred_by(session, user_id),
            "profile": ProfileRead.of(profile).model_dump() if profile else None,
            "email_check": {
                "verdict": known.verdict,
                "provider": known.provider,
                "checked_at": known.checked_at,
            },
            "letters_refused": refused,
            "quotas": await _quotas(session, settings, user_id),
            "wrong_passwords": await _wrong_passwords(session, settings, user),
        }


def quota_scopes(user_id: uuid.UUID) -> Mapping[str, Sequence[str]]:
    """Return the scopes of the quotas of a user, by the name in the export."""
    named = str(user_id)
    return {
        "invitations": (INVITATION, "from", named),
        "referral notices": (MessageKind.FRIEND_JOINED, "to", named),
        "lockout notices": (MessageKind.SIGN_IN_LOCKED, named),
        "e-mail checks": (email_checks.QUOTA, named),
        **{purpose.value: verifications.user_scope(purpose, user_id) for purpose in Purpose},
    }


async def _quotas(
    session: AsyncSession, settings: Settings, user_id: uuid.UUID
) -> Sequence[Mapping[str, Any]]:
    scopes = quota_scopes(user_id)
    rows = await quotas.find(session, derive_key(settings.secret, quotas.PURPOSE), scopes.values())
    return [
        {"quota": name, "used": row.used, "ends_at": row.ends_at}
        for name, row in zip(scopes, rows, strict=True)
        if row
    ]


async def _wrong_passwords(
    session: AsyncSession, settings: Settings, user: User
) -> Sequence[Mapping[str, Any]]:
    # Where they were tried from is of whoever tried.
    counts = throttle.LoginThrottle(derive_key(settings.secret, throttle.KEY), counted=True)
    return [
        {"failures": row.failures, "last_at": row.last_at}
        for attempt in (counts.attempt(user.email or "", None), counts.attempt_of(user.id, None))
        for row in await counts.of(session, attempt)
    ]


async def _items(
    database: Database, query: Select[Any], item: Item, user_id: uuid.UUID
) -> AsyncIterator[bytes]:
    after, rows, comma = uuid.UUID(int=0), PAGE, b""
    while rows == PAGE:
        rows = 0
        for row in await database.rows(query, user_id=user_id, after=after, rows=PAGE):
            yield comma + to_json(item(user_id, row))
            rows, after, comma = rows + 1, row.id, b","


def _paged(query: Any, owner: Any, by: Any) -> Select[Any]:
    # Built once: what `Database.rows` is given it remembers.
    theirs: Select[Any] = query.where(owner == bindparam("user_id", type_=by.type))
    return (
        theirs.where(by > bindparam("after", type_=by.type))
        .order_by(by)
        .limit(bindparam("rows", type_=Integer))
    )


def _own(model: type[Base], owner: str = "user_id") -> Select[Any]:
    table: Any = model.__table__
    return _paged(select(table), table.c[owner], table.c.id)


def _of_apps(model: type[OAuthGrant] | type[OAuthCode]) -> Select[Any]:
    table: Any = model.__table__
    columns = [column for column in table.c if column.name != "client_id"]
    query = select(*columns, OAuthClient.client_id, OAuthClient.name)
    return _paged(query.join(OAuthClient, OAuthClient.id == table.c.client_id), table.c.user_id, table.c.id)


def _of_events(*, about: bool) -> Select[Any]:
    # Two lists, each in the order of its index: both at once would be sorted anew for every page.
    table: Any = AuditEvent.__table__
    if about:
        return _own(AuditEvent, "person_id")
    others = table.c.person_id.is_distinct_from(bindparam("user_id", type_=table.c.id.type))
    return _paged(select(table).where(others), table.c.actor_id, table.c.id)


def _fields(names: str) -> Item:
    return lambda _, row: {name: getattr(row, name) for name in names.split()}


async def _friends(database: Database, user_id: uuid.UUID) -> AsyncIterator[bytes]:
    after, rows, comma = None, PAGE, b""
    while rows == PAGE:
        found = await referrals.list_referrals(
            database, user_id, status=None, order=Order.OLDEST, after=after, limit=PAGE - 1
        )
        for row in found:
            yield comma + to_json(_friend(row))
            after, comma = Position(row.created_at, row.id), b","
        rows = len(found)


def _friend(row: Row[Any]) -> Mapping[str, Any]:
    """As the referrer may see them anyway."""
    return {
        "referee": {
            "display_name": display_name(row.first_name, row.last_name),
            "email_masked": masked(row.email),
        },
        "code": row.code,
        "status": row.status,
        "created_at": row.created_at,
        "confirmed_at": row.confirmed_at,
    }


def _event(user_id: uuid.UUID, row: Row[Any]) -> Mapping[str, Any]:
    """What somebody else did is told, but neither who it was nor where from; nor is the id of anything of theirs."""
    own = row.actor_id == user_id
    own_subject = row.person_id == user_id
    details = json.loads(row.details)
    return {
        "at": row.created_at,
        "action": row.action,
        "by": "you" if own else "another person" if row.actor == Actor.USER.value else row.actor,
        "subject": row.subject,
        "subject_id": row.subject_id if own_subject else None,
        "address": row.address if own else None,
        "client": row.client if own else None,
        "request_id": row.request_id if own else None,
        "details": {
            name: value for name, value in details.items() if own_subject and not name.endswith("_id")
        },
    }


_LISTS: Sequence[tuple[str, Select[Any], Item]] = [
    (
        "sessions",
        _own(UserSession),
        _fields(
            "id client scope device place created_at rotated_at idle_expires_at expires_at revoked_at "
            "revoked_reason"
        ),
    ),
    ("identities", _own(Identity), _fields("provider subject created_at")),
    (
        "codes",
        _own(ReferralCode, "owner_id"),
        _fields(
            "code kind created_at expires_at activated_at retired_at retired_reason max_uses uses discoverable"
        ),
    ),
    ("apps", _of_apps(OAuthGrant), _fields("client_id name scope created_at")),
    (
        "app_sign_ins",
        _of_apps(OAuthCode),
        _fields("client_id name scope redirect_uri created_at expires_at used_at"),
    ),
    ("verifications", _own(Verification), _fields("purpose email created_at expires_at used_at")),
    ("jobs", _own(Job), _fields("kind created_at run_at finished_at outcome")),
    ("stored_answers", _own(IdempotencyKey), _fields("route key status created_at")),
    ("audit", _of_events(about=True), _event),
    ("audit_of_others", _of_events(about=False), _event),
]
"""What there can be many of: its name, where it is found, and what is told of each."""
