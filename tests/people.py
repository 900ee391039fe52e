"""Those who use the service in the tests: Alice has a code, Bob comes by it, Mallory means no good."""

from dataclasses import dataclass, field
from typing import Any

from httpx2 import AsyncClient, Response

PASSWORD = "seven lanterns on the hill"


@dataclass
class Person:
    """Somebody with an account, signed in. Requests of theirs carry their access token."""

    api: AsyncClient
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


async def register(api: AsyncClient, name: str, **fields: Any) -> Response:
    body = {"email": f"{name}@example.com", "password": PASSWORD, "first_name": name.title(), **fields}
    return await api.post(
        "/api/v1/users", json={key: value for key, value in body.items() if value is not None}
    )


async def sign_in(api: AsyncClient, email: str, password: str = PASSWORD) -> Response:
    return await api.post("/api/v1/sessions", json={"email": email, "password": password})


async def join(api: AsyncClient, name: str, **fields: Any) -> Person:
    """Register and sign in."""
    answer = await register(api, name, **fields)
    assert answer.status_code == 201, answer.text
    person = Person(
        api, name, answer.json()["email"], answer.json(), password=fields.get("password", PASSWORD)
    )
    await person.sign_in()
    return person


async def make_code(owner: Person, **fields: Any) -> dict[str, Any]:
    """A code of theirs, good for an hour and active unless `fields` say otherwise."""
    if "expires_at" not in fields:
        fields.setdefault("lifetime", 3600)
    answer = await owner.post("/api/v1/me/referral-codes", fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


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
