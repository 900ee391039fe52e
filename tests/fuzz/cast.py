"""Those who send what is drawn, and what they own: without real ids and codes, all would be a 404."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from httpx2 import Client, Response

from goodword.oauth.scopes import SERVER_SCOPES
from serving import Finished, Served, goodword

PASSWORD = "brass kettles sing at noon"
"""Not the one in the examples of OpenAPI, so that it is known to those who are told."""
DOUBTED = {204, 401}
"""Answers after which one may have been signed out, or be no more."""


@dataclass
class Service:
    """The service under test, and the folder and settings that its commands need."""

    served: Served
    folder: Path
    settings: dict[str, str]
    client: Client
    database: str

    def command(self, *arguments: str) -> Finished:
        done = goodword(self.folder, *arguments, **self.settings)
        assert done.returncode == 0, done.stderr
        return done

    def post(self, path: str, body: dict[str, Any], token: str | None = None) -> Response:
        return self.client.post(path, json=body, headers=bearer(token) if token else {})

    def get(self, path: str, token: str) -> Any:
        answer = self.client.get(path, headers=bearer(token))
        assert answer.status_code == 200, answer.text
        return answer.json()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Caller:
    """Somebody who stays signed in, whatever the calls do to their sessions, their password and their account."""

    def __init__(self, service: Service, name: str, *, administers: bool = False) -> None:
        self.service, self.name, self.administers = service, name, administers
        self.accounts = 0
        self.token = ""
        self.doubted = False
        self.renew()

    @property
    def email(self) -> str:
        return f"{self.name}.{self.accounts}@example.com"

    def renew(self) -> None:
        """Sign in anew; with another account when that is not possible any more."""
        if not self.accounts or not self._sign_in():
            self.accounts += 1
            body = {"email": self.email, "password": PASSWORD, "first_name": self.name.title()}
            answer = self.service.post("/api/v1/users", body)
            assert answer.status_code == 201, answer.text
            if self.administers:
                self.service.command("admin", "create", self.email, "--promote")
            assert self._sign_in()
        self.doubted = False

    def _sign_in(self) -> bool:
        answer = self.service.post("/api/v1/sessions", {"email": self.email, "password": PASSWORD})
        self.token = answer.json().get("access_token", "")
        return answer.status_code == 201

    def signed_in(self) -> str:
        """Their access token, a good one."""
        if self.doubted:
            self.doubted = False
            path = "/api/v1/admin/users" if self.administers else "/api/v1/me"
            if self.service.client.get(path, headers=bearer(self.token)).status_code != 200:
                self.renew()
        return self.token


class Server(Caller):
    """The server of a product, whose API key stays good."""

    def renew(self) -> None:
        scopes = [argument for scope in SERVER_SCOPES for argument in ("--scope", scope)]
        self.token = self.service.command("api-key", "create", "--name", self.name, *scopes).stdout.strip()

    def signed_in(self) -> str:
        return self.token


@dataclass
class Cast:
    """Alice has codes and brought a friend, Bob has a code, Rita administers."""

    callers: dict[str, Caller]
    known: dict[str, list[str]]
    """By the place in a request where it fits: what there is, for calls that get far."""


def strangers(service: Service, seed: int) -> Cast:
    """Alice and Bob with nothing yet: what they make is their own, and not to be seen by the other."""
    return Cast({name: Caller(service, f"{name}{seed}") for name in ("alice", "bob")}, {})


def acme(service: Service, seed: int) -> Cast:
    """The server of Acme, and participants whom it has reported."""
    server = Server(service, f"acme{seed}")
    ids, codes = [f"user-{seed}", f"a/b {seed}"], []
    for external_id in ids:
        path = f"/api/v1/participants/{quote(external_id, safe='')}"
        answer = service.client.put(path, json={}, headers=bearer(server.token))
        codes.append(answer.json()["code"]["code"])
    # Not the default one: codes cannot be used once it is paused.
    program = {"slug": f"acme-{seed}", "name": "Acme"}
    service.client.post("/api/v1/programs", json=program, headers=bearer(server.token))
    known = {"path.external_id": ids, "body.referral_code": codes, "body.program": ["default"]}
    return Cast({"acme": server}, known | {"path.slug": [program["slug"]], "query.program": ["default"]})


def cast(service: Service, seed: int, *, with_rita: bool) -> Cast:
    alice, bob = strangers(service, seed).callers.values()
    callers = {"alice": alice, "bob": bob}
    if with_rita:
        callers["rita"] = Caller(service, f"rita{seed}", administers=True)
    codes = [_code(service, owner, **fields) for owner, fields in (
        (alice, {}), (alice, {"active": False}), (alice, {"active": False}), (bob, {}),
    )]  # fmt: skip
    friend = {"email": f"carol{seed}@example.com", "password": PASSWORD, "referral_code": codes[0]}
    assert service.post("/api/v1/users", friend).status_code == 201
    ids = [service.get("/api/v1/me", one.token)["id"] for one in callers.values()]
    friends = service.get(f"/api/v1/users/{ids[0]}/referrals", alice.token)["items"]
    for _ in range(3):
        service.post("/api/v1/sessions", {"email": alice.email, "password": PASSWORD})
    sessions = [one["id"] for one in service.get("/api/v1/me/sessions", alice.token)["items"]]
    emails = [alice.email, bob.email, friend["email"], f"nobody{seed}@example.com"]
    known = {
        "path.user_id": ids,
        "query.user_id": ids,
        "path.code": codes,
        "body.referral_code": codes,
        "query.referral_code": codes,
        "path.referral_id": [one["id"] for one in friends],
        "path.session_id": sessions,
        "path.provider": ["github"],
        "query.email": emails,
        "body.email": emails,
        "body.referrer_email": emails,
        "body.password": [PASSWORD, "quiet otters swim at dawn"],
        "body.current_password": [PASSWORD],
        "body.grant_type": ["refresh_token", "client_credentials", "authorization_code"],
    }
    return Cast(callers, known)


def _code(service: Service, owner: Caller, **fields: Any) -> str:
    answer = service.post("/api/v1/me/referral-codes", {"lifetime": 86_400, **fields}, owner.token)
    assert answer.status_code == 201, answer.text
    return answer.json()["code"]
