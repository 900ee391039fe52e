"""Claims about users: which of them an app requests, and their values (OpenID Connect Core §5)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from goodword.oauth import scopes
from goodword.oauth.errors import OAuthError
from goodword.users.models import User


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The supported part of a `claims` parameter (OpenID Connect Core §5.5)."""

    id_token: frozenset[str] = frozenset()
    """Claims about the user for the ID token."""
    scopes: frozenset[str] = frozenset()
    """The scopes that the user must grant for all requested claims."""
    subject: str | None = None
    """The only user for whom the app accepts a response."""


def read_request(text: str | None) -> ClaimsRequest:
    """Parse a `claims` parameter. Unknown members and claims are ignored. Raises `OAuthError`."""
    if text is None:
        return ClaimsRequest()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise OAuthError("invalid_request", "claims is not a JSON object.")
    id_token, userinfo = _member(document, "id_token"), _member(document, "userinfo")
    acr = id_token.get("acr")
    if isinstance(acr, dict) and acr.get("essential") is True and acr.keys() & {"value", "values"}:
        raise OAuthError("unmet_authentication_requirements", "There are no authentication contexts here.")
    sub = id_token.get("sub") or userinfo.get("sub")
    return ClaimsRequest(
        id_token=frozenset(id_token) & scopes.CLAIMS.keys(),
        scopes=frozenset(scopes.CLAIMS[name] for name in {*id_token, *userinfo} & scopes.CLAIMS.keys()),
        subject=str(sub["value"]) if isinstance(sub, dict) and "value" in sub else None,
    )


def _member(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = document.get(name)
    if member is None:
        return {}
    if not isinstance(member, dict):
        raise OAuthError("invalid_request", f"{name} in claims is not a JSON object.")
    return member


def claims_of(user: User, granted: Collection[str]) -> dict[str, str | bool]:
    """Return the claims about a user that the granted scopes allow (OpenID Connect Core §5.1)."""
    values = {
        "name": " ".join(name for name in (user.first_name, user.last_name) if name) or None,
        "given_name": user.first_name,
        "family_name": user.last_name,
        "email": user.email,
        "email_verified": user.verified_at is not None,
    }
    return {
        name: value for name, value in values.items() if value is not None and scopes.CLAIMS[name] in granted
    }
