"""The services that requests, jobs and commands use, in one typed object.

`composition.build_services` creates it once per process. Types are imported for type checkers only, so that any
package may import this module without an upward import.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from goodword.crypto import derive_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from goodword.api_keys.auth import Known
    from goodword.cache.lookup_cache import LookupCache
    from goodword.cache.memory import LocalCache
    from goodword.config.settings import Settings
    from goodword.db.database import Database
    from goodword.db.personal_data import PersonalData
    from goodword.domain_events.service import Handler
    from goodword.embed.scripts import Scripts
    from goodword.oauth.clients import ClientRegistry as OAuthClients
    from goodword.oauth.tokens import ServerTokens
    from goodword.outbound.guarded_client import GuardedClient
    from goodword.outbound.http_client import OutboundClient
    from goodword.programs.service import ProgramRegistry
    from goodword.rate_limits.limiter import Limiter
    from goodword.rewards.rules import RuleRegistry
    from goodword.sessions.auth import Live
    from goodword.sessions.cookies import Cookies
    from goodword.sessions.keys import SigningKeys
    from goodword.sessions.throttle import LoginThrottle
    from goodword.sessions.tokens import AccessTokens, RefreshTokens
    from goodword.signup.landing_page import LandingPages
    from goodword.signup.link_card import LinkCards
    from goodword.social.clients import ProviderClients as SocialClients
    from goodword.telemetry.metrics import Metrics
    from goodword.telemetry.trace_export import Tracing
    from goodword.touches.linked_codes import LinkedCodes
    from goodword.touches.service import Touches
    from goodword.users.passwords import Passwords
    from goodword.web.html.assets import Assets
    from goodword.web.paging import Cursors
    from goodword.webhooks.registry import Subscriptions


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedKeys:
    """32-byte keys derived from the secret, each for one purpose. Keys of a single service are in that service."""

    api_keys: bytes
    audit: bytes
    checked_addresses: bytes
    erased_mailboxes: bytes
    former_referees: bytes
    idempotency: bytes
    oauth: bytes
    one_time_tokens: bytes
    quotas: bytes
    referral_codes: bytes
    signing_keys: bytes
    tombstones: bytes
    unsubscribe: bytes
    webhook_secrets: bytes

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        return cls(
            api_keys=derive_key(secret, "api keys"),
            audit=derive_key(secret, "audit chain"),
            checked_addresses=derive_key(secret, "checked addresses"),
            erased_mailboxes=derive_key(secret, "mailboxes of the erased"),
            former_referees=derive_key(secret, "former referees"),
            idempotency=derive_key(secret, "idempotency fingerprints"),
            oauth=derive_key(secret, "oauth clients and codes"),
            one_time_tokens=derive_key(secret, "one-time tokens"),
            quotas=derive_key(secret, "quotas"),
            referral_codes=derive_key(secret, "referral code strings"),
            signing_keys=derive_key(secret, "signing keys"),
            tombstones=derive_key(secret, "tombstones"),
            unsubscribe=derive_key(secret, "unsubscribes"),
            webhook_secrets=derive_key(secret, "webhook secrets"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of a process. None connects before its first use."""

    settings: Settings
    clock: Callable[[], datetime]
    keys: DerivedKeys
    personal_data: Sequence[PersonalData]
    domain_events: Mapping[type, Sequence[Handler]]
    """The handlers by the type of event."""
    metrics: Metrics
    tracing: Tracing | None
    """None without OTLP_ENDPOINT."""

    database: Database
    cache: LookupCache
    http_client: OutboundClient
    """For providers of data."""
    webhook_client: GuardedClient
    rate_limiter: Limiter
    touches: Touches
    linked_codes: LinkedCodes

    signing_keys: SigningKeys
    """Empty until `open_services` loads them."""
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    server_tokens: ServerTokens
    live_sessions: LocalCache[Live]
    known_servers: LocalCache[Known | None]
    passwords: Passwords
    login_throttle: LoginThrottle

    page_cookies: Cookies
    page_assets: Assets
    cursors: Cursors
    programs: ProgramRegistry
    webhook_subscriptions: Subscriptions
    reward_rules: RuleRegistry
    landing_pages: LandingPages
    link_cards: LinkCards
    scripts: Scripts
    oauth_clients: OAuthClients
    social_clients: SocialClients

    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the service waits for its database and refuses requests."""


def services_of(request: Mapping[str, Any]) -> Services:
    """Return the services of the app that handles `request`: a `Request` or its ASGI scope."""
    services: Services = request["app"].state.services
    return services
