"""The format of referral codes: generation, reading, validation, and the link of a code."""

import re
import secrets
import unicodedata
from typing import Any

from goodword.crypto import hmac_of
from goodword.errors import Unprocessable
from goodword.services import Services
from goodword.web import pasted_links
from goodword.web.schemas import reject_control_characters

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, without the look-alikes I, L and O, and without U, which forms accidental words."""

GENERATED_LENGTH = 10
MIN_NORMALISED, MAX_NORMALISED = 4, 32
CHOSEN = re.compile(r"[A-Za-z0-9-]{4,32}", re.ASCII)
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
IN_LINK = re.compile(r"(?:(?:/r)+/+|[?&]referral_code=)\s*([^\s/?#&]*)", re.IGNORECASE)
WHITE_SPACE = frozenset("\t\n\v\f\r")
LAYOUT = frozenset({"Pd", "Zs", "Zl", "Zp", "Cf"})
"""Dashes, blanks, line separators, and format characters such as zero-width spaces."""
MINUS = frozenset("\N{MINUS SIGN}\N{HYPHEN BULLET}\N{VARIATION SELECTOR-15}\N{VARIATION SELECTOR-16}")
OVERRIDES = frozenset("\N{LEFT-TO-RIGHT OVERRIDE}\N{RIGHT-TO-LEFT OVERRIDE}")


class CodeInvalid(Unprocessable):
    code, field = "code_invalid", "body.code"
    detail = "A code has 4 to 32 Latin letters, digits and hyphens; at least four are not hyphens."


class CodeReserved(Unprocessable):
    code, field = "code_reserved", "body.code"
    detail = "This word is reserved. Choose another code."


def generate() -> str:
    """Return a random code of 50 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(GENERATED_LENGTH))


def normalise(text: str) -> str | None:
    """Return the form in which codes are compared, or None if `text` contains no code.

    Reads a code as people paste it: of a link, what follows `/r/` or `referral_code=`. Dashes, white space and
    invisible characters are removed. Other characters that a code cannot have are skipped before the code and end
    it. Case and look-alikes (0/O, 1/I/L) are ignored; other scripts and full-width forms are not converted.
    """
    if not CHOSEN.fullmatch(text):
        text = _find_code(text)
    key = normalise_part(text)
    return key if MIN_NORMALISED <= len(key) <= MAX_NORMALISED else None


def normalise_part(text: str) -> str:
    """Return the normalised form of a part of a code, without validating it."""
    return text.upper().translate(LOOK_ALIKES)


def _find_code(text: str) -> str:
    if found := IN_LINK.search(text) or IN_LINK.search(pasted_links.decode(text)):
        text = pasted_links.decode(found[1])
    text = remove_layout(text)
    if any(character in OVERRIDES or unicodedata.category(character) == "Cc" for character in text):
        return ""
    code = re.search("[A-Za-z0-9]+", text, re.ASCII)
    return code[0] if code else ""


def remove_layout(text: str) -> str:
    """Return the text without white space, dashes, and the invisible characters that copied text contains.

    Bidirectional overrides and other control characters stay: they make a code invalid.
    """
    return "".join(
        character
        for character in text
        if character not in WHITE_SPACE
        and character not in MINUS
        and (unicodedata.category(character) not in LAYOUT or character in OVERRIDES)
    )


def check_pasted(text: str) -> str:
    """Return the text unchanged. Raises if it has control characters other than white space."""
    reject_control_characters(remove_layout(text))
    return text


RESERVED = frozenset(
    map(normalise, ("by-email", "letters", "activate", "admin", "docs", "redoc", "oauth", "static", "assets", "current",
                    "none", "null", "undefined", "true", "false", "qr-svg", "qr-png", "goodword", "validate"))
)  # fmt: skip


def validate_chosen(chosen: str, *, brand: str) -> None:
    """Raise `CodeInvalid` or `CodeReserved` if a user may not choose this code. The name of the brand is reserved."""
    key = normalise(chosen)
    if not CHOSEN.fullmatch(chosen) or key is None:
        raise CodeInvalid
    if key in RESERVED or key == normalise(brand):
        raise CodeReserved


def link(public_url: str, code: str) -> str:
    """Return the address of the landing page of a code."""
    return f"{public_url}/r/{code}"


def columns(services: Services, text: str) -> dict[str, Any]:
    """Return the columns that hold the text of a code."""
    key = normalise(text) or ""
    return {"code": text, "key": key, "key_mac": hmac_of(services.keys.referral_codes, key.encode())}
