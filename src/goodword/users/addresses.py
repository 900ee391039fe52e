"""One rule for e-mail addresses: what is accepted, and when two of them are the same."""

import unicodedata
from functools import lru_cache
from typing import Annotated, NamedTuple

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

GMAIL = frozenset({"gmail.com", "googlemail.com"})


class Address(NamedTuple):
    text: str
    """As it was typed, in NFC: where letters go."""
    key: str
    """Two addresses with one key are one account: NFC, lower case, the domain in its IDNA form."""
    canonical: str
    """The key without plus-tags and Gmail's dots: the same mailbox, most likely. A sign of risk, not a key."""


@lru_cache(1024)  # one request asks several times, and what it asks about is asked about again
def parse(text: str) -> Address:
    """Split an address by RFC 5321 and 6531, without display name, quoting or address literal.

    Letters of every script are accepted, and stay what they are: ß is not ss, ﬁ is not fi, and a Cyrillic а
    is another letter. Invisible characters are refused. Domains reserved for tests (RFC 6761) are accepted,
    other special ones are not. Raises `ValueError`.
    """
    found = validate_email(text, check_deliverability=False, test_environment=True, strict=True)
    local = unicodedata.normalize("NFC", found.local_part.lower())
    domain = found.ascii_domain.lower()
    base = local.split("+", 1)[0] or local
    if domain in GMAIL:
        base, domain_of_box = base.replace(".", ""), "gmail.com"
    else:
        domain_of_box = domain
    return Address(unicodedata.normalize("NFC", text), f"{local}@{domain}", f"{base}@{domain_of_box}")


def key_of(text: str) -> str | None:
    """The key of an address, or None for a text that is none: for look-ups, where it is simply unknown."""
    try:
        return parse(text).key
    except ValueError:
        return None


def _check(text: str) -> str:
    try:
        return parse(text).text
    except EmailNotValidError:
        raise PydanticCustomError(
            "email_invalid", "This is not an e-mail address that can get mail."
        ) from None


Email = Annotated[
    str,
    Field(max_length=254),
    AfterValidator(_check),
    WithJsonSchema(
        {
            "type": "string",
            "format": "email",
            "description": "Case does not matter, nor does the form of accents (NFC) or of an international "
            "domain. Letters that look alike are different letters.",
            "maxLength": 254,
            "examples": ["alice@example.com"],
        }
    ),
]
