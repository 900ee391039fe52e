"""Parse and validate authorization requests (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from goodword.db.database import Database
from goodword.languages import to_translate
from goodword.oauth import claims, scopes
from goodword.oauth.claims import ClaimsRequest
from goodword.oauth.clients import Client, ClientRegistry
from goodword.oauth.errors import OAuthError, RedirectableError, UnredirectableError
from goodword.oauth.pending_request import LONGEST, expand, shorten
from goodword.oauth.tokens import ServerTokens
from goodword.web import urlencoded

SINCE = "signed_in_since"
"""A private parameter that replaces `prompt=login` or `max_age`, and accompanies `id_token_hint`, while the user
is at the sign-in page: the time in milliseconds after which the user must have signed in."""

PROMPTS = frozenset({"none", "login", "consent", "select_account"})

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_MILLISECONDS = re.compile(r"[0-9]{1,15}")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    client: Client
    redirect_uri: str
    state: str | None
    scopes: frozenset[str]
    code_challenge: str
    """Empty if the app, which need not use PKCE, sent none."""
    nonce: str | None
    prompt: frozenset[str]
    max_age: int | None
    since: int | None
    login_hint: str | None
    expected_user: str | None
    """The only user for whom the app accepts a response, by `id_token_hint` or `claims`."""
    id_token_claims: frozenset[str]
    parameters: Mapping[str, str]

    @property
    def query(self) -> str:
        """Return the query string of the same request."""
        return urlencode(self.parameters)

    def after_sign_in(self, now: datetime) -> str:
        """Return the query string for the request after the sign-in, which does not ask for another one.

        It has the short form of `pending_request` if it is long.
        """
        is_repeatable = self.max_age is None and self.expected_user is None
        if is_repeatable and not self.prompt & {"login", "select_account"}:
            return shorten(self.parameters)
        parameters = {name: value for name, value in self.parameters.items() if name != "max_age"}
        parameters["prompt"] = " ".join(sorted(self.prompt - {"login", "select_account"}))
        parameters[SINCE] = str(int(now.timestamp() * 1000))
        return shorten({name: value for name, value in parameters.items() if value})

    def is_recent(self, signed_in_at: datetime, *, now: datetime) -> bool:
        """Return whether the sign-in is as recent as the app requires. The ID token reports it as `auth_time`."""
        if self.since is not None:
            return int(signed_in_at.timestamp() * 1000) >= self.since
        if self.prompt & {"login", "select_account"}:
            return False
        return self.max_age is None or now - signed_in_at <= timedelta(seconds=self.max_age)

    def is_expected(self, user_id: UUID) -> bool:
        """Return whether this is the user that the app expects, or it expects none."""
        return self.expected_user in (None, str(user_id))

    def send_back(self, code: str, detail: str) -> RedirectableError:
        return RedirectableError(self.redirect_uri, self.state, code, detail)


async def read(
    database: Database, clients: ClientRegistry, tokens: ServerTokens, query: bytes
) -> AuthorizationRequest:
    """Return the request in a query string. Raises `UnredirectableError` and `RedirectableError`."""
    query = expand(query)
    if len(query) > LONGEST:
        raise UnredirectableError(to_translate("The request is too long."))
    repeated = False
    try:
        parameters = urlencoded.parse(query)
    except urlencoded.ParameterRepeated as error:
        parameters, repeated = error.parameters, True
    except urlencoded.FormInvalid:
        raise UnredirectableError(to_translate("The request is invalid.")) from None

    client = await clients.find(database, parameters.get("client_id", ""))
    if client is None:
        raise UnredirectableError(
            to_translate("The request names no app, or an app that is not registered here.")
        )
    redirect_uri = parameters.get("redirect_uri", "")
    if not client.allows(redirect_uri):
        raise UnredirectableError(to_translate("The app gave a redirect address that it has not registered."))
    try:
        if repeated:
            raise OAuthError("invalid_request", "A parameter is repeated.")
        requested = claims.read_request(parameters.get("claims"))
        expected = await _expected_user(tokens, client, parameters, requested)
        return _checked(client, redirect_uri, parameters, requested, expected)
    except OAuthError as error:
        state = parameters.get("state")
        raise RedirectableError(redirect_uri, state, error.code, error.detail) from None


def _checked(
    client: Client,
    redirect_uri: str,
    parameters: Mapping[str, str],
    requested: ClaimsRequest,
    expected_user: str | None,
) -> AuthorizationRequest:
    for unsupported in ("request", "request_uri"):  # OpenID Connect Core §6 names these errors
        if unsupported in parameters:
            raise OAuthError(f"{unsupported}_not_supported", "Send the parameters themselves.")
    if "response_type" not in parameters:
        raise OAuthError("invalid_request", "response_type is missing.")
    if parameters["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "Use response_type=code.")
    if parameters.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "Use response_mode=query.")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        state=parameters.get("state"),
        scopes=_scopes(client, parameters.get("scope"), requested),
        code_challenge=_code_challenge(client, parameters),
        nonce=_matching(_PLAIN, parameters, "nonce"),
        prompt=_prompt(parameters.get("prompt", "")),
        max_age=_number(_SECONDS, parameters, "max_age"),
        since=_number(_MILLISECONDS, parameters, SINCE),
        login_hint=parameters.get("login_hint"),
        expected_user=expected_user,
        id_token_claims=requested.id_token,
        parameters=parameters,
    )


async def _expected_user(
    tokens: ServerTokens, client: Client, parameters: Mapping[str, str], requested: ClaimsRequest
) -> str | None:
    hint = parameters.get("id_token_hint")
    if not hint:  # a parameter without a value is none (RFC 6749 §3.1)
        return requested.subject
    found = await tokens.read_id_token(hint)
    if found is None or found.client_id != client.client_id:
        raise OAuthError("invalid_request", "id_token_hint is not an ID token that this app got from here.")
    if requested.subject not in (None, found.subject):
        raise OAuthError("invalid_request", "id_token_hint and claims name two users.")
    return found.subject


def _code_challenge(client: Client, parameters: Mapping[str, str]) -> str:
    if not client.pkce_required and not parameters.keys() & {"code_challenge", "code_challenge_method"}:
        return ""
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "PKCE is required, with code_challenge_method=S256.")
    if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
        raise OAuthError("invalid_request", "code_challenge is not the base64url form of a SHA-256 hash.")
    return parameters["code_challenge"]


def _scopes(client: Client, text: str | None, requested: ClaimsRequest) -> frozenset[str]:
    asked = client.default_scopes if text is None else scopes.known(text)
    if not asked or not asked <= client.user_scopes:
        raise OAuthError("invalid_scope", "The scope is more than this app is registered for, or empty.")
    return asked | (requested.scopes & client.user_scopes)


def _prompt(text: str) -> frozenset[str]:
    asked = frozenset(text.split())
    if not asked <= PROMPTS or (len(asked) > 1 and "none" in asked):
        raise OAuthError("invalid_request", "prompt is none, or some of login, consent and select_account.")
    return asked


def _matching(pattern: re.Pattern[str], parameters: Mapping[str, str], name: str) -> str | None:
    value = parameters.get(name)
    if value is not None and not pattern.fullmatch(value):
        raise OAuthError("invalid_request", f"{name} cannot be used.")
    return value


def _number(pattern: re.Pattern[str], parameters: Mapping[str, str], name: str) -> int | None:
    value = _matching(pattern, parameters, name)
    return None if value is None else int(value)
