"""The scopes of apps and of servers, with their descriptions."""

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

SERVER_SCOPES = {
    "participants:read": to_translate("See participants, their referral codes and their referrals"),
    "participants:write": to_translate(
        "Report, change and erase participants, and create their referral codes"
    ),
    "events:read": to_translate("See the events that were reported"),
    "events:write": to_translate("Report events"),
    "rewards:read": to_translate("See rewards and balances"),
    "rewards:write": to_translate("Approve, fulfil, cancel and reverse rewards"),
    "referrals:review": to_translate("See held referrals, and accept or reject them"),
    "programs:read": to_translate("See programs and their reward rules"),
    "programs:write": to_translate("Create and change programs and their reward rules"),
    "webhooks:read": to_translate("See webhook endpoints and their deliveries"),
    "webhooks:write": to_translate("Create, change and delete webhook endpoints, and replay deliveries"),
}
"""The scopes of API keys, and of apps that act on their own behalf. No token of a user has one."""

ALL = SCOPES | SERVER_SCOPES

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
    """Return scopes as one string, in the order of `ALL`."""
    chosen = set(scopes)
    return " ".join(name for name in ALL if name in chosen)


def known(scope: str) -> frozenset[str]:
    """Return the known scopes in a `scope` parameter. Others are ignored (OpenID Connect Core §3.1.2.1)."""
    return frozenset(scope.split(" ")) & ALL.keys()


def descriptions(scopes: Iterable[str]) -> list[str]:
    """Return the descriptions of scopes, to translate."""
    chosen = set(scopes)
    return [words for name, words in ALL.items() if name in chosen]
