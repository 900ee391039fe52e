"""The languages of e-mails and pages, and the choice between them."""

import re
from datetime import datetime

LANGUAGES = ("en", "ru")
DEFAULT = "en"
UI_LOCALES = "ui_locales"
"""The parameter by which an app asks for a language, and its name in the state of the request."""
NAMES = {"en": "English", "ru": "Русский"}
"""Each in its own language."""
DAY_FORMATS = {"en": "%d %b %Y", "ru": "%d.%m.%Y"}

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def preferred_language(accept_language: str | None) -> str:
    """Return the preferred supported language of an `Accept-Language` header (RFC 9110 §12.5.4), or the default.

    `*` means the languages that the header does not name (RFC 4647 §2.1).
    """
    choices = (_RANGE.fullmatch(part) for part in (accept_language or "")[:1000].split(","))
    weights: dict[str, float] = {}
    for found in filter(None, choices):
        name, weight = found[1].lower(), float(found[2] or 1)
        weights[name] = max(weight, weights.get(name, 0))
    others = weights.pop("*", 0.0)
    # Of languages with the same weight, the first in the header is preferred.
    known = {name: weight for name, weight in weights.items() if name in LANGUAGES}
    known |= {name: others for name in LANGUAGES if name not in known}
    best = max(known, key=lambda name: known[name])
    return best if known[best] else DEFAULT


def first_supported(tags: str) -> str | None:
    """Return the first supported language of a list such as `fr-CA ru en` (OpenID Connect Core §3.1.2.1)."""
    primary = (tag.partition("-")[0].lower() for tag in tags[:1000].split())
    return next((language for language in primary if language in LANGUAGES), None)


def supported(tag: str) -> str:
    """Return the supported language of a tag such as `en-GB`, or the default."""
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else DEFAULT


def format_time(language: str, at: datetime) -> str:
    """Return a time in UTC as pages and e-mails show it. The script of pages uses the same format."""
    return at.strftime(f"{DAY_FORMATS[language]}, %H:%M UTC")


def to_translate(text: str) -> str:
    """Mark a text for the message catalogues. It is translated when it is rendered."""
    return text
