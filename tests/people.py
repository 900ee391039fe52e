"""Those who use the service in the tests: Alice has a code, Bob comes by it, Mallory means no good."""

import asyncio
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI, Request
from httpx2 import AsyncClient, Response
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from asgi import Client, replaced
from goodword.actor import Actor, ActorContext, acting_as
from goodword.codes.models import ReferralCode
from goodword.ip_address import describe_network
from goodword.providers.email_checks import ensure_deliverable
from goodword.services import Services
from goodword.sessions import service as sessions
from goodword.sessions.cookies import CLIENT, SCOPE
from goodword.sessions.responses import token_answer
from goodword.sessions.service import ClientInfo
from goodword.signup.schemas import UserCreate
from goodword.signup.service import sign_up
from goodword.users.models import User
from goodword.users.schemas import UserRead
from goodword.users.service import LOCKED

LOCAL = "127.0.0.1"
PASSWORD = "seven lanterns on the hill"


@dataclass
class Person:
    """Somebody with an account, signed in. Requests of theirs carry their access token."""

    api: Client
    name: str
    email: str
    user: dict[str, Any]
    tokens: dict[str, Any] = field(default_factory=dict)
    password: str = PASSWORD

    @property
    def id(self) -> str:
        return self.user["id"]

    @property
    def account(self) -> dict[str, Any]:
        """What they see at /me."""
        return self.user | {"profile": None}

    async def sign_in(self) -> dict[str, Any]:
        self.tokens = (await sign_in(self.api, self.email, self.password)).json()
        return self.tokens

    async def start_session(self) -> None:
        """Sign in without the request."""
        services = self.api.app.state.services
        with as_a_request(services):
            async with services.database.transaction() as session:
                user = await session.scalar(LOCKED, {"user_id": UUID(self.id)})
                self.tokens = await _start_session(self.api.app, session, user)

    async def call(self, method: str, path: str, **options: Any) -> Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} | options.pop("headers", {})
        return await self.api.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Response:
        return await self.call("GET", path, **options)

    async def post(self, path: str, json: Any, **options: Any) -> Response:
        return await self.call("POST", path, json=json, **options)

    async def patch(self, path: str, json: Any, **options: Any) -> Response:
        return await self.call("PATCH", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Response:
        return await self.call("DELETE", path, **options)


def registration_of(name: str, **fields: Any) -> dict[str, Any]:
    body = {"email": f"{name}@example.com", "password": PASSWORD, "first_name": name.title(), **fields}
    return {key: value for key, value in body.items() if value is not None}


async def register(api: AsyncClient, name: str, **fields: Any) -> Response:
    return await api.post("/api/v1/users", json=registration_of(name, **fields))


async def sign_in(api: AsyncClient, email: str, password: str = PASSWORD) -> Response:
    return await api.post("/api/v1/sessions", json={"email": email, "password": password})


async def join(api: Client, name: str, **fields: Any) -> Person:
    """Register and sign in by the services alone, in one transaction: a third of what the requests cost."""
    body = UserCreate.model_validate(registration_of(name, **fields))
    services = api.app.state.services
    await ensure_deliverable(services, body.email)
    password_hash = await services.passwords.hash(body.password)
    with as_a_request(services):
        async with services.database.transaction() as session:
            user, referred_by = await sign_up(
                session, services, body, password_hash=password_hash, language="en"
            )
            tokens = await _start_session(api.app, session, user)
    read = UserRead(
        id=user.id,
        email=body.email,
        email_verified=False,
        first_name=user.first_name,
        last_name=user.last_name,
        created_at=user.created_at,
        referred_by=referred_by,
    )
    return Person(api, name, body.email, read.model_dump(mode="json"), tokens, body.password)


async def _start_session(app: FastAPI, session: AsyncSession, user: User) -> dict[str, Any]:
    signed_in = await sessions.create(
        session,
        user,
        client=sessions.CLIENT,
        scope=sessions.own_scope(user),
        client_info=ClientInfo("python-httpx2", describe_network(LOCAL)),
        now=app.state.services.clock(),
    )
    return token_answer(Request({"type": "http", "app": app}), signed_in).model_dump()


def as_a_request(services: Services) -> AbstractContextManager[None]:
    """Set the actor for the block as a request of this machine does."""
    context = ActorContext(Actor.ANONYMOUS, request_id=uuid4().hex, peer=LOCAL, clock=services.clock)
    return acting_as(context)


async def make_code(owner: Person, **fields: Any) -> dict[str, Any]:
    """A code of theirs, good for an hour and active unless `fields` say otherwise."""
    if "expires_at" not in fields:
        fields.setdefault("lifetime", 3600)
    answer = await owner.post("/api/v1/me/referral-codes", fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def until_gone(node: Client, code: str) -> None:
    """Wait until the look-up of a code finds nothing, for a second at most."""
    deadline = time.monotonic() + 1
    while (await node.get(f"/api/v1/referral-codes/{code}")).status_code != 404:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def referrals_of(owner: Person, **query: Any) -> list[dict[str, Any]]:
    answer = await owner.get(f"/api/v1/users/{owner.id}/referrals", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def bring(owner, *names, **fields):
    """Friends of theirs join, with a code that is made for them."""
    code = await make_code(owner, **fields)
    for name in names:
        answer = await register(owner.api, name, referral_code=code["code"])
        assert answer.status_code == 201, answer.text
    return code


async def bring_held(app, owner, *names):
    """Friends of theirs join, of whom all but the first are held because many come. Return the id of the last referral."""
    settings = app.state.services.settings.model_copy(update={"risk_held_sign_ups_per_hour": 1})
    with replaced(app, settings=settings):
        await bring(owner, *names)
    return (await referrals_of(owner, status="held"))[0]["id"]


async def begin_sessions(app, person, number):
    """Begin more sessions of a user than the limit of sign-ins allows, the first one earliest."""
    services = app.state.services
    async with services.database.transaction() as session:
        user = await session.get(User, UUID(person.id))
        for second in range(number):
            info, now = ClientInfo(f"Device {second}"), services.clock() - timedelta(hours=1, seconds=-second)
            await sessions.create(session, user, client=CLIENT, scope=SCOPE, client_info=info, now=now)


async def insert_codes(app, owner, number):
    """Insert prepared codes of a user, every third of them deleted: more than the limit of writes allows."""
    now = app.state.services.clock()
    rows = []
    for index in range(number):
        deleted_at, why = (now, "deleted") if index % 3 == 0 else (None, None)
        values = {"id": uuid7(), "owner_id": UUID(owner.id), "code": f"MANY-{index}", "key": f"MANY{index}"}
        values |= {"key_mac": index.to_bytes(32), "kind": "generated", "uses": 0, "discoverable": True}
        values |= {"created_at": now - timedelta(seconds=index), "expires_at": now + timedelta(days=1)}
        rows.append(values | {"retired_at": deleted_at, "retired_reason": why, "deleted_at": deleted_at})
    async with app.state.services.database.transaction() as session:
        await session.execute(insert(ReferralCode), rows)
