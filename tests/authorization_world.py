"""Call each operation of the API with a token, in a world that has all that a path can name."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select

from asgi import document
from goodword.api_keys import service as api_keys
from goodword.api_keys.models import ApiKey
from goodword.codes import service as codes
from goodword.codes.models import ReferralCode
from goodword.codes.schemas import CodeCreate
from goodword.db.statements import insert
from goodword.db.transaction_hooks import insert_now
from goodword.events.models import Event
from goodword.oauth.models import OAuthClient, OAuthGrant
from goodword.programs import service as programs
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program
from goodword.referrals import service as referrals
from goodword.referrals.attributed import Attributed
from goodword.referrals.models import ReferralStatus
from goodword.rewards import rules
from goodword.rewards.models import Reward
from goodword.rewards.schemas import RuleWrite
from goodword.sessions import service as sessions
from goodword.sessions.models import UserSession
from goodword.sessions.service import OWN_SCOPE, ClientInfo
from goodword.sessions.tokens import CLIENT
from goodword.users import service as users
from goodword.users.models import User
from goodword.webhooks import signing, writing
from goodword.webhooks.kinds import TEST
from goodword.webhooks.models import WebhookDelivery, WebhookEndpoint

DOCUMENT = document()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


@dataclass
class World:
    """Someone with all that a path can name, made again after each write that was allowed: writes erase, disable and sign out."""

    app: FastAPI
    owner: User
    code: ReferralCode
    referral_id: uuid.UUID
    elsewhere: UserSession
    let_in: OAuthClient
    program: Program
    """The owner's, who is a participant of it."""
    delivery_id: uuid.UUID
    endpoint: WebhookEndpoint
    reward: Reward
    """Of the program."""

    def path_of(self, template: str) -> str:
        return template.format(
            user_id=self.owner.id,
            code=self.code.code,
            referral_id=self.referral_id,
            session_id=self.elsewhere.id,
            client_id=self.let_in.client_id,
            provider="google",
            external_id=self.owner.external_id,
            slug=self.program.slug,
            endpoint_id=self.endpoint.id,
            delivery_id=self.delivery_id,
            rule_id=self.reward.rule_id,
            reward_id=self.reward.id,
        )

    async def token(self, user: User, scope: str = OWN_SCOPE, client: str = CLIENT) -> str:
        """An access token as the service signs it, of a new session with this scope."""
        services = self.app.state.services
        now = services.clock()
        async with services.database.transaction() as session:
            begun = await sessions.create(
                session, user, client=client, scope=scope, client_info=ClientInfo(), now=now
            )
        return services.access_tokens.sign(
            user_id=user.id, session_id=begun.id, client=client, scope=scope, now=now
        )

    async def key(
        self,
        scope: Collection[str],
        *,
        program_id: uuid.UUID | None = None,
        now: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> tuple[ApiKey, str]:
        """An API key with this scope, as the database has it and as its server sends it."""
        services = self.app.state.services
        async with services.database.transaction() as session:
            return await api_keys.create(
                session,
                services.keys.api_keys,
                name=str(uuid.uuid4()),
                scope=scope,
                program_id=program_id,
                lifetime=lifetime,
                now=now or services.clock(),
            )

    async def another_program(self) -> uuid.UUID:
        async with self.app.state.services.database.transaction() as session:
            program = await make_program(session, self.app.state.services.clock())
        return program.id

    async def person(self, *, is_admin: bool = False) -> User:
        async with self.app.state.services.database.transaction() as session:
            return await make_user(session, self.app.state.services.clock(), is_admin=is_admin)


async def make_user(session, now, *, is_admin=False):
    user = await users.create(
        session,
        email=f"{uuid.uuid4()}@example.com",
        password_hash=None,
        first_name=None,
        last_name=None,
        now=now,
    )
    user.is_admin = is_admin
    return user


async def make_program(session, now):
    """A program like the default one."""
    default = await session.get_one(Program, DEFAULT_PROGRAM_ID)
    columns = {column.key: getattr(default, column.key) for column in Program.__table__.columns}
    slug = f"program-{uuid.uuid4()}"
    program = Program(**columns | {"id": uuid.uuid4(), "slug": slug, "is_default": False, "created_at": now})
    session.add(program)
    await session.flush()
    programs.invalidate(session)
    return program


async def make_world(app):
    services, now = app.state.services, app.state.services.clock()
    async with services.database.transaction() as session:
        program = await make_program(session, now)
    async with services.database.transaction() as session:
        owner, friend = await make_user(session, now), await make_user(session, now)
        owner.external_id, owner.program_id = str(uuid.uuid4()), program.id
        code = await codes.create(
            session,
            app.state.services,
            owner,
            CodeCreate.model_validate({"lifetime": 3600}),
            now=now,
        )
        attributed = Attributed(code.id, owner.id, "Alice L.", program_id=program.id)
        status = ReferralStatus.CONFIRMED
        referral_id = await referrals.record(session, services, attributed, friend, status=status, now=now)
        elsewhere = await sessions.create(
            session, owner, client=CLIENT, scope=OWN_SCOPE, client_info=ClientInfo(), now=now
        )
        let_in = OAuthClient(
            client_id=str(owner.id),
            name="An app",
            redirect_uris="https://app.example.com/back",
            scope="profile",
            grant_types="authorization_code",
            created_at=now,
        )
        session.add(let_in)
        await session.flush()
        session.add(OAuthGrant(user_id=owner.id, client_id=let_in.id, scope="profile", created_at=now))
        endpoint = await make_endpoint(session, services, program, now)
        reward = await make_reward(session, program, owner, friend, referral_id, now)
        delivery_id = await make_delivery(session, endpoint, now)
    return World(app, owner, code, referral_id, elsewhere, let_in, program, delivery_id, endpoint, reward)


async def make_delivery(session, endpoint, now):
    data, to = {"endpoint_id": str(endpoint.id)}, [endpoint.id]
    event_id = await writing.insert(
        session, TEST, endpoint.id, data, to, program_id=endpoint.program_id, now=now
    )
    await insert_now(session)
    return await session.scalar(select(WebhookDelivery.id).where(WebhookDelivery.event_id == event_id))


async def make_endpoint(session, services, program, now):
    """Create an endpoint beside as many others as there are."""
    values = {"id": uuid.uuid4(), "program_id": program.id, "url": "https://acme.example/webhooks"}
    secret = signing.seal(services.keys.webhook_secrets, signing.generate_secret(), values["id"])
    return await insert(
        session, WebhookEndpoint, **values, kinds="user.erased", secret=secret, created_at=now
    )


async def make_reward(session, program, owner, friend, referral_id, now):
    """Create a fulfilled coupon of the owner. Every step of a reward is allowed or refused by its state, and never missing."""
    terms = {"trigger": "purchase", "beneficiary": "referrer", "kind": "coupon", "amount_minor": 500}
    rule = await rules.create(session, program, RuleWrite.model_validate(terms), now=now)
    about = {"program_id": program.id, "created_at": now}
    event = await insert(
        session,
        Event,
        **about,
        type="purchase",
        participant_id=friend.id,
        source_id=str(uuid.uuid4()),
        occurred_at=now,
    )
    await insert_now(session)  # the referral
    return await insert(
        session,
        Reward,
        **about,
        rule_id=rule.rule_id,
        rule_version_id=rule.id,
        event_id=event.id,
        referral_id=referral_id,
        referrer_id=owner.id,
        user_id=owner.id,
        beneficiary="referrer",
        kind="coupon",
        amount_minor=500,
        remaining_minor=500,
        currency=program.currency,
        status="fulfilled",
        month="2026-11",
    )


def outcome(answer: Response) -> str:
    """What the answer says of the right to ask. The code decides: 401 is also a wrong password's answer."""
    assert answer.status_code < 500, answer.text
    if answer.headers.get("content-type") != "application/problem+json":
        return "allowed"
    if (code := answer.json()["code"]) in ("unauthorized", "invalid_token", "insufficient_scope"):
        return code
    return "not found" if answer.status_code == 404 else "allowed"


async def call(
    api: AsyncClient, world: World, name: str, token: str | None, body: dict[str, Any] | None = None
) -> str:
    """Call the operation, with the example of its OpenAPI unless there is a `body`. Return the `outcome`."""
    method, path, operation = OPERATIONS[name]
    content = operation.get("requestBody", {}).get("content", {})
    body = (
        body(world)
        if callable(body)
        else body or next((example_of(described) for described in content.values()), None)
    )
    sent: dict[str, Any] = {"data" if "application/x-www-form-urlencoded" in content else "json": body}
    asked = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    answer = await api.request(
        method,
        world.path_of(path),
        params={"email": world.owner.email} if "email" in asked else {},
        headers={"Authorization": f"Bearer {token}"} if token else {},
        **(sent if content else {}),
    )
    return outcome(answer)


def example_of(described: dict[str, Any]) -> Any:
    if "example" in described:
        return described["example"]
    examples = described.get("examples")
    if examples:
        return next(iter(examples.values()))["value"]
    schema = described["schema"]
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["examples"][0]
