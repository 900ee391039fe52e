"""A provider for the tests, over real sockets in a thread of its own: OpenID Connect, and GitHub's way.

It checks what a provider checks (PKCE, the redirect address, our secret), and misbehaves when told to.
"""

import base64
import hashlib
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
from joserfc import jws, jwt
from joserfc.jwk import Key, OctKey, RSAKey
from joserfc.registry import HeaderParameter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from servers import application_server

CLIENT_ID = "goodword-at-the-provider"
CLIENT_SECRET = "known to the two of us, and long enough for an HMAC"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
FREE_KEY = RSAKey.import_key(KEY.as_pem(private=True), {"kid": "first"})
"""The same, for signing with any algorithm of RSA."""
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "second", "use": "sig", "alg": "RS256"})
ALICE = {
    "sub": "248289761001",
    "email": "alice@example.com",
    "email_verified": True,
    "given_name": "Alice",
    "family_name": "Liddell",
}
ALICE_AT_GITHUB = {"id": 1001, "login": "alice", "name": "Alice Liddell", "email": "profile@example.org"}
EMAILS = [
    {"email": "old@example.org", "primary": False, "verified": True},
    {"email": "alice@example.com", "primary": True, "verified": True},
]

Answer = Callable[[Request], Response]


@dataclass
class Provider:
    """What it says, and how it misbehaves. `answers` replaces what stands at a path."""

    url: str
    person: dict[str, Any] = field(default_factory=lambda: dict(ALICE))
    claims: dict[str, Any] = field(default_factory=dict)
    """Put over those of a good ID token; None takes one away."""
    header: dict[str, Any] = field(default_factory=dict)
    signer: Key = field(default_factory=lambda: KEY)
    published: list[Any] = field(default_factory=lambda: [KEY.as_dict(private=False)])
    metadata: dict[str, Any] = field(default_factory=dict)
    thin: bool = False
    """Claims of the person are kept for the userinfo endpoint, as OIDC Core §5.4 has it."""
    github_user: dict[str, Any] = field(default_factory=lambda: dict(ALICE_AT_GITHUB))
    github_emails: Any = field(default_factory=lambda: list(EMAILS))
    answers: dict[str, Answer] = field(default_factory=dict)
    delay: dict[str, float] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    seen: list[dict[str, str]] = field(default_factory=list)
    """What came to the authorization endpoint."""

    def reset(self) -> None:
        self.__dict__.update(Provider(self.url).__dict__)

    def approve(self, location: str) -> str:
        """The person says yes on the provider's page: the path and query that the browser is sent back to."""
        parameters = dict(parse_qsl(urlsplit(location).query))
        self.seen.append(parameters)
        assert parameters["response_type"] == "code"
        assert parameters["client_id"] == CLIENT_ID
        assert parameters["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = parameters
        back = urlsplit(parameters["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': parameters['state']})}"

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        claims |= {"sub": self.person["sub"]} if self.thin else self.person
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        header = {"alg": "RS256", "kid": "first", **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        registry = jws.JWSRegistry(
            {"exp": HeaderParameter("an extension", "int")},
            algorithms=["RS256", "HS256", "ES256", "PS256", "none"],
            strict_check_header=False,
        )
        return jwt.encode(header, claims, self.signer, registry=registry)


def secret_key() -> OctKey:
    """The client secret as a key: what HS256 would be signed with."""
    return OctKey.import_key(CLIENT_SECRET)


def endless(size: int) -> Answer:
    """JSON of that size, without a length in front."""

    async def chunks():
        yield b'{"keys": [], "padding": "'
        for _ in range(size // 65536 + 1):
            yield b"x" * 65536
        yield b'"}'

    from starlette.responses import StreamingResponse

    return lambda _request: StreamingResponse(chunks(), media_type="application/json")


def text(body: str | bytes, status: int = 200, **headers: Any) -> Answer:
    return lambda _request: Response(body, status, headers, media_type="application/json")


def _application(provider: Provider) -> Starlette:
    def endpoint(answer: Callable[[Request, dict[str, str]], Any]) -> Callable[[Request], Any]:
        async def run(request: Request) -> Response:
            path = request.url.path
            provider.asked[path] += 1
            await anyio.sleep(provider.delay.get(path, 0))
            form = dict(parse_qsl((await request.body()).decode()))
            if path in provider.answers:
                return provider.answers[path](request)
            found = answer(request, form)
            return found if isinstance(found, Response) else JSONResponse(found)

        return run

    def configuration(_request: Request, _form: dict[str, str]) -> Any:
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        document = {f"{name}_endpoint": f"{provider.url}/{path}" for name, path in names.items()}
        document |= {"issuer": provider.url, "jwks_uri": f"{provider.url}/jwks", "proxy": "http://evil.test"}
        return document | provider.metadata

    def jwks(_request: Request, _form: dict[str, str]) -> Any:
        return {"keys": provider.published}

    def token(request: Request, form: dict[str, str]) -> Any:
        if not _is_us(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        begun = provider.codes.pop(form.get("code", ""), None)
        if begun is None or not _holds(begun, form):
            return JSONResponse({"error": "invalid_grant", "error_description": "no such code"}, 400)
        return {
            "access_token": _token(provider),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": provider.id_token(begun["nonce"]),
        }

    def github_token(_request: Request, form: dict[str, str]) -> Any:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return {"error": "incorrect_client_credentials"}  # GitHub says so with 200
        begun = provider.codes.pop(form.get("code", ""), None)
        if begun is None or not _holds(begun, form):
            return {"error": "bad_verification_code"}
        return {"access_token": _token(provider), "token_type": "bearer", "scope": begun["scope"]}

    def bearer(request: Request, found: Any) -> Any:
        known = request.headers.get("authorization", "").removeprefix("Bearer ") in provider.tokens
        return found if known and request.headers.get("user-agent") else JSONResponse({}, 401)

    paths: dict[str, Any] = {
        "/.well-known/openid-configuration": configuration,
        "/jwks": jwks,
        "/token": token,
        "/userinfo": lambda request, _form: bearer(request, provider.person),
        "/login/oauth/access_token": github_token,
        "/user": lambda request, _form: bearer(request, provider.github_user),
        "/user/emails": lambda request, _form: bearer(request, provider.github_emails),
        "/elsewhere": lambda _request, _form: RedirectResponse("/jwks"),
    }
    return Starlette(
        routes=[Route(path, endpoint(run), methods=["GET", "POST"]) for path, run in paths.items()]
    )


def _token(provider: Provider) -> str:
    token = secrets.token_urlsafe(16)
    provider.tokens.add(token)
    return token


def _is_us(request: Request, form: dict[str, str]) -> bool:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        client_id, _, secret = base64.b64decode(value).decode().partition(":")
        return (client_id, secret) == (CLIENT_ID, CLIENT_SECRET)
    return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


def _holds(begun: dict[str, str], form: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return challenge == begun["code_challenge"] and form.get("redirect_uri") == begun["redirect_uri"]


@contextmanager
def serving() -> Iterator[Provider]:
    """Serve the provider until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        provider = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with application_server(_application(provider), listener):
            yield provider


def jwk(key: Key, **changes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(key.as_dict(private=False))) | changes
