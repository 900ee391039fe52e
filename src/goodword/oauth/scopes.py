"""The scopes that apps can request, and their descriptions on the consent page."""

from collections.abc import Iterable

from goodword.languages import to_translate

SCOPES = {
    "openid": to_translate("Identify you by a permanent ID"),
    "profile": to_translate("See your account: your name, your e-mail address and who invited you"),
    "email": to_translate("See your e-mail address and whether it is confirmed"),
    "codes:read": to_translate("See your referral codes"),
    "codes:write": to_translate("Create, change and delete your referral codes"),
    "referrals:read": to_translate("See your referrals, with masked addresses"),
    "offline_access": to_translate("Keep this access while you are not using the app, until you revoke it"),
    "admin": to_translate("Administer this service with your rights: view, disable and erase accounts"),
}
"""Without `account` (password, sessions, erasure), which only first-party sessions have."""

DOCUMENTATION = {name: text for name, text in SCOPES.items() if name != "offline_access"}
"""The scopes of the documentation page, which gets no refresh token."""

NOT_DEFAULT = frozenset({"offline_access", "admin"})
"""Not part of the default for a request without `scope` (RFC 6749 §3.3)."""

NEED_USER = frozenset({"openid", "offline_access"})

CLAIMS = {
    "name": "profile",
    "given_name": "profile",
    "family_name": "profile",
    "email": "email",
    "email_verified": "email",
}
"""The claims about a user, and the scope that each belongs to (OpenID Connect Core §5.4)."""


def text(scopes: Iterable[str]) -> str:
    """Return scopes as one string, in the order of `SCOPES`."""
    chosen = set(scopes)
    return " ".join(name for name in SCOPES if name in chosen)


def known(scope: str) -> frozenset[str]:
    """Return the known scopes in a `scope` parameter. Others are ignored (OpenID Connect Core §3.1.2.1)."""
    return frozenset(scope.split(" ")) & SCOPES.keys()


def descriptions(scopes: Iterable[str]) -> list[str]:
    """Return the descriptions of scopes, to translate."""
    chosen = set(scopes)
    return [words for name, words in SCOPES.items() if name in chosen]
