"""The parts that requests, jobs and commands work with, in one typed object.

`composition.build_services` makes it once in a process; nothing in it connects before it is used. The types are
imported for type checkers only. At run time this module imports nothing of ours, so any package may import it
without an import that runs upwards, and type checkers see what each part is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from goodword.cache.lookup_cache import LookupCache
    from goodword.cache.memory import LocalCache
    from goodword.config.settings import Settings
    from goodword.db.database import Database
    from goodword.http_client import OutboundClient
    from goodword.invitations.service import EmailQuotas
    from goodword.oauth.clients import ClientRegistry as OAuthClients
    from goodword.oauth.tokens import ServerTokens
    from goodword.rate_limits.limiter import Limiter
    from goodword.sessions.auth import Live
    from goodword.sessions.cookies import Cookies
    from goodword.sessions.keys import SigningKeys
    from goodword.sessions.throttle import LoginThrottle
    from goodword.sessions.tokens import AccessTokens, RefreshTokens
    from goodword.signup.landing_page import LandingPages
    from goodword.social.clients import ProviderClients as SocialClients
    from goodword.users.passwords import Passwords
    from goodword.web.paging import Cursors


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedKeys:
    """Keys of 32 bytes that are derived from the secret, each for the purpose that it is named for.

    A key that only one part needs is in that part.
    """

    audit: bytes
    idempotency: bytes
    oauth: bytes
    one_time_tokens: bytes
    quotas: bytes
    referral_codes: bytes
    signing_keys: bytes
    unsubscribe: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers of requests and of jobs reach."""

    settings: Settings
    clock: Callable[[], datetime]
    keys: DerivedKeys

    database: Database
    cache: LookupCache
    http_client: OutboundClient
    """For requests to providers of data. It opens no connection before the first one."""
    rate_limiter: Limiter

    signing_keys: SigningKeys
    """Loaded when the process starts to serve; empty before."""
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    server_tokens: ServerTokens
    live_sessions: LocalCache[Live]
    passwords: Passwords
    login_throttle: LoginThrottle

    page_cookies: Cookies
    cursors: Cursors
    landing_pages: LandingPages
    oauth_clients: OAuthClients
    social_clients: SocialClients
    invitation_limits: EmailQuotas


def services_of(request: Mapping[str, Any]) -> Services:
    """Return the services of the app that handles `request`: a `Request` or its ASGI scope."""
    services: Services = request["app"].state.services
    return services
