"""The scopes that apps can request, and their descriptions on the consent page."""

from collections.abc import Iterable

from goodword.languages import to_translate

SCOPES = {
    "openid": to_translate("Identify you by a permanent ID"),
    "profile": to_translate("See your account: your name, your e-mail address and who invited you"),
    "email": to_translate("See your e-mail address and whether it is verified"),
    "codes:read": to_translate("See your referral codes"),
    "codes:write": to_translate("Create, change and delete your referral codes"),
    "referrals:read": to_translate("See your referrals, with masked addresses"),
    "offline_access": to_translate("Keep this access while you are not using the app, until you revoke it"),
    "admin": to_translate("Administer this service with your rights: view, disable and erase accounts"),
}
"""Without `account` (password, sessions, erasure), which only first-party sessions have."""

ASKED_FOR_BY_NAME = frozenset({"offline_access", "admin"})
"""Not part of the default for a request without `scope` (RFC 6749 §3.3)."""

ABOUT_PEOPLE = frozenset({"openid", "offline_access"})
"""Scopes that need a signed-in user."""


def text(scopes: Iterable[str]) -> str:
    """Return scopes as one string, in the order of `SCOPES`."""
    chosen = set(scopes)
    return " ".join(name for name in SCOPES if name in chosen)


def in_words(scopes: Iterable[str]) -> list[str]:
    chosen = set(scopes)
    return [words for name, words in SCOPES.items() if name in chosen]
