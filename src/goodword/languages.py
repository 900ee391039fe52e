"""The languages that letters and pages are written in, and which of them somebody wants."""

import re

LANGUAGES = ("en", "ru")
DEFAULT = "en"
NAMES = {"en": "English", "ru": "Русский"}
"""How each calls itself: who looks for theirs may not read the others."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def preferred_language(accept_language: str | None) -> str:
    """The first choice in an `Accept-Language` header (RFC 9110 §12.5.4) that there is; else English."""
    choices = (_RANGE.fullmatch(part) for part in (accept_language or "")[:1000].split(","))
    wanted = [(float(found[2] or 1), found[1].lower()) for found in choices if found]
    known = [(weight, language) for weight, language in wanted if language in LANGUAGES and weight > 0]
    return max(known, key=lambda choice: choice[0])[1] if known else DEFAULT


def to_translate(text: str) -> str:
    """Marks a text for the catalogues of the pages: it is translated where it is shown."""
    return text
