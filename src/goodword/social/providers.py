"""The configured providers of sign-in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from goodword.config.settings import Settings

OTHER = "OpenID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The registration at a provider. `slug` is its part of the URL, `label` its display name."""

    slug: str
    label: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: ClassVar[str]

    @property
    def realm(self) -> str:
        """Return the namespace in which the subjects of the provider are unique."""
        return self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIDProvider(Registration):
    """An OpenID Connect provider with discovery (OIDC Discovery §4)."""

    issuer: str
    issuer_alias: str | None = None
    """Another `iss` that its tokens can have."""
    scope: ClassVar[str] = "openid email profile"

    @property
    def realm(self) -> str:
        return self.issuer  # a subject is unique within its issuer only (OIDC Core §2)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubProvider(Registration):
    """GitHub: OAuth 2.0 without OpenID Connect, so its API returns the identity."""

    site: str = "https://github.com"
    api: str = "https://api.github.com"
    scope: ClassVar[str] = "read:user user:email"


Provider = OpenIDProvider | GitHubProvider


def configured(settings: Settings) -> Sequence[Provider]:
    """Return the providers in the settings."""
    found: list[Provider] = []
    if settings.google_client_id and settings.google_client_secret:
        google = OpenIDProvider(
            slug="google",
            label="Google",
            client_id=settings.google_client_id,
            client_secret=settings.google_client_secret.get_secret_value(),
            issuer="https://accounts.google.com",
            issuer_alias="accounts.google.com",  # still documented
        )
        found.append(google)
    if settings.github_client_id and settings.github_client_secret:
        github = GitHubProvider(
            slug="github",
            label="GitHub",
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret.get_secret_value(),
        )
        found.append(github)
    if settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret:
        other = OpenIDProvider(
            slug="oidc",
            label=settings.oidc_name or OTHER,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            issuer=settings.oidc_issuer,
        )
        found.append(other)
    return found
