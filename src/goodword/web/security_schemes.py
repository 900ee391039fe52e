"""The security schemes in the OpenAPI document, and the alternatives that each operation accepts."""

from collections.abc import Mapping, Sequence
from typing import Any

TOKEN, KEY, OPTIONAL_KEY = "AccessToken", "ApiKey", "OptionalApiKey"
"""The schemes that endpoints declare: the token of a user, the key of a server, and one that is not required."""
FLOW, CLIENT_FLOW = "OAuth2", "ClientCredentials"

Security = Sequence[Mapping[str, list[str]]]


def complete(
    schemes: dict[str, Any],
    public_url: str,
    scopes: Mapping[str, str],
    server_scopes: Mapping[str, str],
) -> None:
    """Add the flows of OAuth 2.0 to the schemes that endpoints declare."""
    token_url = f"{public_url}/oauth/token"
    flow = {
        "authorizationUrl": f"{public_url}/oauth/authorize",
        "tokenUrl": token_url,
        "scopes": dict(scopes),
    }
    schemes[FLOW] = {
        "type": "oauth2",
        "description": "Authorization code flow with PKCE (RFC 6749, RFC 7636).",
        "flows": {"authorizationCode": flow},
    }
    if optional := schemes.pop(OPTIONAL_KEY, None):
        schemes.setdefault(KEY, optional)
    if KEY in schemes:
        schemes[CLIENT_FLOW] = {
            "type": "oauth2",
            "description": "An app on its own behalf (RFC 6749 §4.4), instead of an API key.",
            "flows": {"clientCredentials": {"tokenUrl": token_url, "scopes": dict(server_scopes)}},
        }


def alternatives(declared: Security, scopes: Mapping[str, str]) -> list[dict[str, list[str]]]:
    """Return all alternatives for an operation whose endpoint declares these.

    An operation with a key and a token is for servers and administrators.
    """
    needed = {name: wanted for way in declared for name, wanted in way.items()}
    found: list[dict[str, list[str]]] = []
    if OPTIONAL_KEY in needed:
        found.append({})
    server = needed.get(KEY, needed.get(OPTIONAL_KEY))
    if server is not None:
        found += [{KEY: server}, {CLIENT_FLOW: server}]
    if TOKEN in needed:
        user = needed[TOKEN] if server is None else ["admin"]
        found.append({TOKEN: user})
        if set(user) <= scopes.keys():  # no OAuth client can get the scope `account`
            found.append({FLOW: user})
    return found
