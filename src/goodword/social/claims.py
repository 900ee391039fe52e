"""Validation of the claims of a provider about a user."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from goodword.social.errors import SignInFailed
from goodword.users import addresses
from goodword.users.addresses import Email
from goodword.web.schemas import Name

MAX_SUBJECT_LENGTH = 255


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """An account at a provider, identified by `realm` and `subject`. All else can change."""

    realm: str
    subject: str
    email: str | None
    email_verified: bool
    first_name: str | None
    last_name: str | None

    @property
    def email_key(self) -> str | None:
        return addresses.key_of(self.email) if self.email else None


def from_claims(realm: str, claims: Mapping[str, Any]) -> ProviderIdentity:
    """Return the identity in the standard claims (OIDC Core §5.1). Raises `SignInFailed` without a subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise SignInFailed
    if not subject.isascii() or not subject.isprintable():
        raise SignInFailed
    email = _valid_or_none(_EMAIL, claims.get("email"))
    first, last = (_valid_or_none(_NAME, claims.get(claim)) for claim in ("given_name", "family_name"))
    if first is None and last is None:
        first, last = _split_name(claims.get("name"))
    # Only the boolean: some providers send the string "false".
    verified = email is not None and claims.get("email_verified") is True
    return ProviderIdentity(realm, subject, email, verified, first, last)


def _split_name(name: object) -> tuple[str | None, str | None]:
    if not isinstance(name, str):
        return None, None
    first, _, last = name.strip().rpartition(" ")
    given = _valid_or_none(_NAME, first or last)
    return given, _valid_or_none(_NAME, last) if first else None


def _valid_or_none(kind: TypeAdapter[str], value: object) -> str | None:
    """Return the value if the registration form would accept it, else None."""
    try:
        return kind.validate_python(value.strip()) if isinstance(value, str) else None
    except ValidationError:
        return None


_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
