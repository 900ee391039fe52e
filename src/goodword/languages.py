"""The languages of e-mails and pages, and the choice between them."""

import re

LANGUAGES = ("en", "ru")
DEFAULT = "en"
NAMES = {"en": "English", "ru": "Русский"}
"""Each in its own language."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def preferred_language(accept_language: str | None) -> str:
    """Return the preferred supported language of an `Accept-Language` header (RFC 9110 §12.5.4), or the default."""
    choices = (_RANGE.fullmatch(part) for part in (accept_language or "")[:1000].split(","))
    wanted = [(float(found[2] or 1), found[1].lower()) for found in choices if found]
    known = [(weight, language) for weight, language in wanted if language in LANGUAGES and weight > 0]
    return max(known, key=lambda choice: choice[0])[1] if known else DEFAULT


def to_translate(text: str) -> str:
    """Mark a text for the message catalogues. It is translated when it is rendered."""
    return text
