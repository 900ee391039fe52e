"""What an app can be let do, in the words in which people are asked."""

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
"""`account` (password, sessions, erasure) is missing: it is for our own sign-in only."""

ASKED_FOR_BY_NAME = frozenset({"offline_access", "admin"})
"""Never among what an app gets when it names no scope (RFC 6749 §3.3)."""

ABOUT_PEOPLE = frozenset({"openid", "offline_access"})
"""Without meaning where nobody signed in."""


def text(scopes: Iterable[str]) -> str:
    """Scopes as one string, in the order of the list above."""
    chosen = set(scopes)
    return " ".join(name for name in SCOPES if name in chosen)


def in_words(scopes: Iterable[str]) -> list[str]:
    chosen = set(scopes)
    return [words for name, words in SCOPES.items() if name in chosen]
