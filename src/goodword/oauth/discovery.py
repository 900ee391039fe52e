"""Server metadata and public keys, at the well-known addresses."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from goodword.languages import LANGUAGES
from goodword.oauth import scopes
from goodword.oauth.clients import GRANT_TYPES
from goodword.services import services_of
from goodword.sessions.keys import ES256, JWKS_LIFETIME, RS256
from goodword.web.openapi import free_object

router = APIRouter(prefix="/.well-known", tags=["Authorized apps"])

CACHED = {"Cache-Control": f"public, max-age={JWKS_LIFETIME.seconds}"}
ID_TOKEN_ALGORITHMS = (RS256, ES256)
"""The default of a client first."""

WITH_SECRET = ["client_secret_basic", "client_secret_post"]


def metadata(issuer: str) -> dict[str, Any]:
    """Return the metadata of RFC 8414 §2 with the members of OpenID Connect Discovery §3."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(scopes.ALL),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*WITH_SECRET, "none"],
        "revocation_endpoint_auth_methods_supported": [*WITH_SECRET, "none"],
        "introspection_endpoint_auth_methods_supported": WITH_SECRET,
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash"),
            *scopes.CLAIMS,
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": True,
        "ui_locales_supported": list(LANGUAGES),
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


METADATA_DOCS = free_object("ServerMetadata", "The metadata.", metadata("https://goodword.example"))
JWKS_DOCS = free_object(
    "KeySet",
    "The keys.",
    {"keys": [{"kty": "EC", "crv": "P-256", "alg": ES256, "use": "sig", "kid": "019aa8c2…"}]},
)


@router.get(
    "/oauth-authorization-server",
    summary="Metadata of the authorization server",
    response_class=JSONResponse,
    responses=METADATA_DOCS,
)
async def get_oauth_metadata(request: Request) -> Response:
    """Return the metadata of the authorization server (RFC 8414)."""
    return JSONResponse(metadata(services_of(request).settings.public_url), headers=CACHED)


@router.get(
    "/openid-configuration",
    summary="Metadata of the OpenID provider",
    response_class=JSONResponse,
    responses=METADATA_DOCS,
)
async def get_openid_configuration(request: Request) -> Response:
    """Return the same metadata at the address of OpenID Connect Discovery §4."""
    return JSONResponse(metadata(services_of(request).settings.public_url), headers=CACHED)


@router.get(
    "/jwks.json", summary="Keys that tokens are signed with", response_class=JSONResponse, responses=JWKS_DOCS
)
async def get_jwks(request: Request) -> Response:
    """Return the public keys (RFC 7517): also those that will sign soon, and retired ones whose tokens may be valid."""
    return JSONResponse({"keys": services_of(request).signing_keys.public()}, headers=CACHED)
