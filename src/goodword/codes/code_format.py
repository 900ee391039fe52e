"""The format of referral codes: generation, normalisation, validation, and the link of a code."""

import re
import secrets

from goodword.errors import Unprocessable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, without the look-alikes I, L and O, and without U, which forms accidental words."""

GENERATED_LENGTH = 10
MIN_NORMALISED = 4
CHOSEN = re.compile(r"[A-Za-z0-9-]{4,32}", re.ASCII)
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class CodeInvalid(Unprocessable):
    code, field = "code_invalid", "body.code"
    detail = "A code has 4 to 32 Latin letters, digits and hyphens; at least four are not hyphens."


class CodeReserved(Unprocessable):
    code, field = "code_reserved", "body.code"
    detail = "This word is reserved. Choose another code."


def generate() -> str:
    """Return a random code of 50 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(GENERATED_LENGTH))


def normalise(code: str) -> str | None:
    """Return the form in which codes are compared, or None if `code` is not a valid code.

    Ignores case, spaces, hyphens and look-alikes (0/O, 1/I/L). Other scripts and full-width characters are
    invalid.
    """
    if not code.isascii():
        return None
    key = normalise_part(code)
    return key if key.isalnum() and MIN_NORMALISED <= len(key) <= 32 else None


def normalise_part(text: str) -> str:
    """Return the normalised form of a part of a code, without validating it."""
    return text.upper().translate(LOOK_ALIKES)


RESERVED = frozenset(
    map(normalise, ("by-email", "letters", "activate", "admin", "docs", "redoc", "oauth", "static", "assets", "current",
                    "none", "null", "undefined", "true", "false", "qr-svg", "qr-png", "goodword"))
)  # fmt: skip


def validate_chosen(chosen: str) -> None:
    """Raise `CodeInvalid` or `CodeReserved` if a user may not choose this code."""
    key = normalise(chosen)
    if not CHOSEN.fullmatch(chosen) or key is None:
        raise CodeInvalid
    if key in RESERVED:
        raise CodeReserved


def link(public_url: str, code: str) -> str:
    """Return the address of the landing page of a code."""
    return f"{public_url}/r/{code}"
