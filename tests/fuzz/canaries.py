"""Requests with a canary wherever somebody could put a secret: a word that nothing else contains.

It has no letter that folding a code would change, and is looked for in any case.
"""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import Client, Response

from asgi import settings_for
from fuzz.cast import PASSWORD, bearer
from goodword.app import create_app

CANARY = re.compile(r"cnryq([a-z]+)q[2-9]+", re.IGNORECASE)
FORM = "application/x-www-form-urlencoded"
HEADERS = [
    "Accept",
    "Accept-Language",
    "Accept-Encoding",
    "Authorization",
    "Cookie",
    "Forwarded",
    "Idempotency-Key",
    "If-None-Match",
    "Origin",
    "Range",
    "Referer",
    "Tracestate",
    "Traceparent",
    "User-Agent",
    "X-Api-Key",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Request-Id",
]
FIELDS = [
    "email",
    "password",
    "current_password",
    "new_password",
    "first_name",
    "last_name",
    "referral_code",
    "code",
    "token",
    "reason",
    "q",
    "user_id",
    "next",
    "language",
    "client_id",
    "client_secret",
    "redirect_uri",
    "refresh_token",
    "code_verifier",
    "scope",
    "state",
    "error",
    "answer",
    "id",
]
"""Of the forms of all pages and of OAuth, whose OpenAPI does not tell of them."""


@dataclass(frozen=True)
class Place:
    """A method on a path, and what is known of its parameters."""

    method: str
    path: str
    query: tuple[str, ...]
    example: dict[str, Any] | None
    is_page: bool


def places() -> list[Place]:
    """Every operation of OpenAPI, and every page."""
    app = create_app(settings_for("sqlite+aiosqlite:///none"))
    document = app.openapi()
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        for method in route.methods:
            operation = document["paths"].get(route.path, {}).get(method.lower())
            queries = [one["name"] for one in (operation or {}).get("parameters", ()) if one["in"] == "query"]
            content = (operation or {}).get("requestBody", {}).get("content", {}).get("application/json", {})
            example = content.get("example") or _example(content, document)
            found.append(Place(method, route.path, tuple(queries), example, operation is None))
    return sorted(found, key=lambda place: (place.path, place.method))


def _example(content: dict[str, Any], document: dict[str, Any]) -> dict[str, Any] | None:
    if not content:
        return None
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    return (schema.get("examples") or [dict.fromkeys(schema["properties"], "text")])[0]


@dataclass
class Sower:
    """Sends requests, and notes which canaries an answer shows."""

    client: Client
    random: random.Random
    tokens: dict[str, str]
    known: dict[str, list[str]]
    form: dict[str, str] = field(default_factory=dict)
    """The fields without which no form is taken for one of ours."""
    sent: int = 0
    authenticated: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    shown: set[tuple[str, int, str]] = field(default_factory=set)
    """Operation, status, and the field whose canary came back."""

    def told(self) -> str:
        return f"{self.sent} requests, {self.authenticated} let in; answers: {dict(sorted(self.answers.items()))}"

    def canary(self, name: str) -> str:
        number = "".join(self.random.choice("23456789") for _ in range(8))
        return f"cnryq{re.sub('[^a-z]', '', name.lower())}q{number}"

    def value(self, name: str, like: Any = "") -> Any:
        if isinstance(like, bool | int):
            return self.random.choice([like, like, self.canary(name)])
        if "email" in name:
            return f"{self.canary(name)}@example.com"
        if name == "password" and self.random.random() < 0.3:
            return PASSWORD
        if name == "referral_code" and self.random.random() < 0.5:
            return self.random.choice(self.known["path.code"])
        return self.canary(name)

    def send(self, place: Place) -> None:
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda part: self._segment(part[1]), place.path)
        query = {name: self.value(name) for name in place.query if self.random.random() < 0.7}
        if place.is_page:
            query |= {name: self.value(name) for name in FIELDS if self.random.random() < 0.1}
        if self.random.random() < 0.5:
            query[self.canary("queryname")] = self.canary("query")
        headers = self._headers(place)
        content = None
        if place.method in ("POST", "PUT", "PATCH", "DELETE"):
            content = self._body(place, headers)
        url = f"{path}?{urlencode(query)}" if query else path
        answer = self.client.request(place.method, url, headers=headers, content=content)
        self._look(place, answer)

    def _segment(self, name: str) -> str:
        known = self.known.get(f"path.{name}")
        return self.random.choice(known) if known and self.random.random() < 0.5 else self.canary("path")

    def _headers(self, place: Place) -> dict[str, str]:
        headers = {name: self.canary(name) for name in HEADERS if self.random.random() < 0.2}
        headers[f"X-{self.canary('headername')}"] = self.canary("header")
        if place.is_page:
            headers.pop("Cookie", None)
            headers.pop("Origin", None)
        who = self.random.choice(["alice", "alice", "rita", "rita", "nobody"])
        if who in self.tokens:
            headers |= bearer(self.tokens[who])
        elif self.random.random() < 0.5:
            headers["Authorization"] = self.random.choice(
                [f"Bearer {self.canary('bearer')}", f"Basic {self.canary('basic')}", self.canary("scheme")]
            )
        return headers

    def _body(self, place: Place, headers: dict[str, str]) -> bytes:
        if place.example is None:
            headers["Content-Type"] = FORM
            fields = {name: self.value(name) for name in FIELDS if self.random.random() < 0.8}
            fields["grant_type"] = self.random.choice(
                ["refresh_token", "authorization_code", "client_credentials"]
            )
            fields |= self.form if place.is_page else {}
            return urlencode(dict(list(fields.items())[:30])).encode()
        headers["Content-Type"] = "application/json"
        body = {name: self.value(name, like) for name, like in place.example.items()}
        wrong = self.random.randrange(12)
        if wrong == 0:
            body[self.canary("fieldname")] = self.canary("unknown")
        elif wrong == 1 and body:
            name = self.random.choice(list(body))
            body[name] = [self.canary(name), {self.canary("key"): self.canary(name)}]
        elif wrong == 2:
            return (json.dumps(body) + self.canary("garbage")).encode()
        elif wrong == 3:
            headers["Content-Type"] = f"text/{self.canary('type')}"
        return json.dumps(body).encode()

    def _look(self, place: Place, answer: Response) -> None:
        self.sent += 1
        self.authenticated += answer.status_code in (200, 201, 202, 204, 303, 409, 422)
        self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
        said = answer.text + json.dumps(list(answer.headers.items()))
        for name in CANARY.findall(said):
            self.shown.add((f"{place.method} {place.path}", answer.status_code, name.lower()))
