"""Validation and normalisation of e-mail addresses."""

import unicodedata
from functools import lru_cache
from typing import Annotated, NamedTuple

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

GMAIL = frozenset({"gmail.com", "googlemail.com"})


class Address(NamedTuple):
    text: str
    """The address as typed, in NFC. E-mails go to it."""
    key: str
    """NFC, lower case, the domain in IDNA form. Unique among accounts."""
    canonical: str
    """The key without plus-tags and Gmail's dots, probably the same mailbox. A risk signal, not unique."""


@lru_cache(1024)  # one request parses the same address several times
def parse(text: str) -> Address:
    """Parse an address by RFC 5321 and 6531, without display name, quoting or address literal.

    All scripts are accepted, and compatible characters stay different: ß is not ss, and Cyrillic а is not Latin a.
    Invisible characters and special domains, except those for tests (RFC 6761), are refused. Raises `ValueError`.
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
    """Return the key of an address, or None if `text` is no address."""
    try:
        return parse(text).key
    except ValueError:
        return None


def _check(text: str) -> str:
    try:
        return parse(text).text
    except EmailNotValidError:
        raise PydanticCustomError("email_invalid", "This is not a valid e-mail address.") from None


Email = Annotated[
    str,
    Field(max_length=254),
    AfterValidator(_check),
    WithJsonSchema(
        {
            "type": "string",
            "format": "email",
            "description": "Compared without case, in NFC, with the domain in IDNA form. Characters that look alike "
            "are different.",
            "maxLength": 254,
            "examples": ["alice@example.com"],
        }
    ),
]
