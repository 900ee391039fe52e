"""Which providers people can sign in with: what an operator set, and what is known of Google and GitHub."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import SecretStr

from goodword.config.settings import Settings

OTHER = "OpenID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Our registration at a provider. `slug` is its part of our addresses, `label` its name for people."""

    slug: str
    label: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: ClassVar[str]

    @property
    def realm(self) -> str:
        """Within what its subjects are unique: identities are kept under it."""
        return self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIDProvider(Provider):
    """A provider of OpenID Connect, which tells the rest of itself (OIDC Discovery §4)."""

    issuer: str
    issuer_alias: str | None = None
    """Another `iss` that its tokens may carry."""
    scope: ClassVar[str] = "openid email profile"

    @property
    def realm(self) -> str:
        # A subject is unique within its issuer only (OIDC Core §2): after a change of OIDC_ISSUER the same
        # subject is somebody else.
        return self.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubProvider(Provider):
    """GitHub speaks OAuth 2.0 without OpenID: who somebody is, its API says."""

    site: str = "https://github.com"
    api: str = "https://api.github.com"
    scope: ClassVar[str] = "read:user user:email"


def configured(settings: Settings) -> Sequence[Provider]:
    """The providers that the settings name."""
    found: list[Provider] = []
    if settings.google_client_id and settings.google_client_secret:
        google = OpenIDProvider(
            slug="google",
            label="Google",
            client_id=settings.google_client_id,
            client_secret=_plain(settings.google_client_secret),
            issuer="https://accounts.google.com",
            issuer_alias="accounts.google.com",  # its documentation still allows for this one
        )
        found.append(google)
    if settings.github_client_id and settings.github_client_secret:
        github = GitHubProvider(
            slug="github",
            label="GitHub",
            client_id=settings.github_client_id,
            client_secret=_plain(settings.github_client_secret),
        )
        found.append(github)
    if settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret:
        other = OpenIDProvider(
            slug="oidc",
            label=settings.oidc_name or OTHER,
            client_id=settings.oidc_client_id,
            client_secret=_plain(settings.oidc_client_secret),
            issuer=settings.oidc_issuer,
        )
        found.append(other)
    return found


def _plain(secret: SecretStr) -> str:
    return secret.get_secret_value()
