"""Who somebody is, as a provider tells it: nothing here is believed before it was looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from goodword.social.errors import SignInFailed
from goodword.users import addresses
from goodword.users.addresses import Email
from goodword.web.schemas import Name

LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """An account at a provider. `realm` and `subject` are who it is; all else may change hands."""

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
    """A person by the standard claims (OIDC Core §5.1). Raises `SignInFailed` without a subject."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise SignInFailed
    if not subject.isascii() or not subject.isprintable():
        raise SignInFailed
    email = _fit(_EMAIL, claims.get("email"))
    first, last = (_fit(_NAME, claims.get(claim)) for claim in ("given_name", "family_name"))
    if first is None and last is None:
        first, last = _halves(claims.get("name"))
    # Only true is true: some providers write "false", which is a text and would pass for yes.
    verified = email is not None and claims.get("email_verified") is True
    return ProviderIdentity(realm, subject, email, verified, first, last)


def _halves(name: object) -> tuple[str | None, str | None]:
    if not isinstance(name, str):
        return None, None
    first, _, last = name.strip().rpartition(" ")
    return (_fit(_NAME, first), _fit(_NAME, last)) if first else (_fit(_NAME, last), None)


def _fit(kind: TypeAdapter[str], value: object) -> str | None:
    """The value if it could have been typed into our own form, else nothing: a name is not worth a refusal."""
    try:
        return kind.validate_python(value.strip()) if isinstance(value, str) else None
    except ValidationError:
        return None


_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
