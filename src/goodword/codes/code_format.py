"""The text of a code: how one is made, which may be chosen, and when two of them are the same."""

import re
import secrets

from goodword.errors import Unprocessable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, which look like digits, and no U, which makes accidental words."""

GENERATED_LENGTH = 10
MIN_NORMALISED = 4
CHOSEN = re.compile(r"[A-Za-z0-9-]{4,32}", re.ASCII)
LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class CodeInvalid(Unprocessable):
    code, field = "code_invalid", "body.code"
    detail = "A code has 4 to 32 Latin letters, digits and hyphens, at least four of them not hyphens."


class CodeReserved(Unprocessable):
    code, field = "code_reserved", "body.code"
    detail = "This word is part of our addresses. Choose another."


def generate() -> str:
    """A new random code: 50 bits from the operating system's generator."""
    return "".join(secrets.choice(ALPHABET) for _ in range(GENERATED_LENGTH))


def normalise(code: str) -> str | None:
    """The form in which codes are compared; None for a text that cannot be one.

    Case, blanks, hyphens and look-alikes (0/O, 1/I/L) do not matter. Full-width letters and those of
    other scripts are not folded: a person does not mistype those.
    """
    if not code.isascii():
        return None
    folded = normalise_part(code)
    return folded if folded.isalnum() and MIN_NORMALISED <= len(folded) <= 32 else None


def normalise_part(text: str) -> str:
    """The same of a part of a code, whatever it is."""
    return text.upper().translate(LOOK_ALIKES)


RESERVED = frozenset(
    filter(
        None,
        map(
            normalise,
            ("by-email", "letters", "activate", "admin", "api", "docs", "redoc", "oauth", "static", "assets",
             "current", "none", "null", "undefined", "true", "false", "qr-svg", "qr-png", "goodword"),
        ),
    )
)  # fmt: skip


def validate_chosen(wanted: str) -> str:
    """The code somebody wishes for, as shown. Raises `CodeInvalid` or `CodeReserved`."""
    folded = normalise(wanted)
    if not CHOSEN.fullmatch(wanted) or folded is None:
        raise CodeInvalid
    if folded in RESERVED:
        raise CodeReserved
    return wanted
