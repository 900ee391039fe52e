"""The composition root: build, open and close the services of a process, and build its worker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from goodword import migrations, retention
from goodword.api_keys import auth as api_key_auth
from goodword.backup import nightly
from goodword.cache.lookup_cache import LookupCache
from goodword.cache.memory import InvalidationTable, LocalCache
from goodword.config.settings import Settings, SettingsError
from goodword.crypto import WrongSecret, derive_key
from goodword.db import database_clock
from goodword.db.database import Database
from goodword.db.database_clock import DatabaseClock
from goodword.db.error_causes import AWAY, describe
from goodword.embed.scripts import Scripts
from goodword.handlers import (
    CONCURRENCY_GROUPS,
    DOMAIN_EVENTS,
    GROUP_LIMITS,
    HANDLERS,
    PERIODIC_TASKS,
    SERIAL_KINDS,
)
from goodword.jobs import lateness
from goodword.jobs.worker import CONCURRENCY, Worker
from goodword.monitoring import gauges
from goodword.oauth import clients as oauth_clients
from goodword.oauth.tokens import ServerTokens
from goodword.outbound.guarded_client import GuardedClient
from goodword.outbound.http_client import OutboundClient
from goodword.personal_data import PERSONAL_DATA
from goodword.privacy import erasure, tombstones
from goodword.programs.service import ProgramRegistry
from goodword.rate_limits.limiter import Limiter
from goodword.rewards.rules import RuleRegistry
from goodword.services import DerivedKeys, Services
from goodword.sessions.auth import REMEMBERED
from goodword.sessions.cookies import Cookies
from goodword.sessions.keys import CACHE_KEY as KEYS_CACHE_KEY, SigningKeys
from goodword.sessions.throttle import LoginThrottle
from goodword.sessions.tokens import AccessTokens, RefreshTokens
from goodword.signup.landing_page import LandingPages
from goodword.signup.link_card import LinkCards
from goodword.social import clients as social_clients
from goodword.social.providers import Provider, configured
from goodword.telemetry.metrics import Metrics
from goodword.touches.linked_codes import LinkedCodes
from goodword.touches.service import Touches
from goodword.users.passwords import Passwords
from goodword.web.html.assets import Assets
from goodword.web.paging import Cursors
from goodword.webhooks.registry import Subscriptions
from goodword.webhooks.targets import may_reach

if TYPE_CHECKING:
    from goodword.telemetry.trace_export import Tracing

WAIT_SECONDS = 1.0
"""Between attempts to reach a database that is away."""

log = structlog.get_logger("goodword.start")


def build_services(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    providers: Sequence[Provider] | None = None,
    processes: int = 1,
) -> Services:
    """Build the services of a process. None connects before its first use.

    `clock` replaces that of the database, `providers` the sign-in providers of the settings. Processes that are forked
    from this one share cache invalidations and counts of rate limits; there will be `processes` of them. Raises
    `SettingsError` if there is no secret key.
    """
    clock, secret, is_limited = clock or DatabaseClock(), settings.secret, settings.rate_limits == "on"
    keys, invalidations = DerivedKeys.derive(secret), InvalidationTable()
    database = Database.from_settings(settings, processes=processes)
    signing_keys = SigningKeys(database, keys.signing_keys, clock)
    invalidations.listeners[invalidations.slot(KEYS_CACHE_KEY)] = signing_keys.changed.set
    metrics, assets = Metrics(processes=processes), Assets(settings)
    issuer, lifetime = settings.public_url, settings.access_token_lifetime
    docs_client = oauth_clients.documentation(settings.public_url) if settings.docs_shown else None
    return Services(
        settings=settings,
        clock=clock,
        keys=keys,
        personal_data=PERSONAL_DATA,
        domain_events=DOMAIN_EVENTS,
        metrics=metrics,
        tracing=_build_tracing(settings),
        database=database,
        cache=LookupCache(settings, database, invalidations, clock, metrics),
        http_client=OutboundClient(),
        webhook_client=GuardedClient(may_reach(settings)),
        rate_limiter=Limiter(settings, clock, metrics),
        touches=Touches(database, derive_key(secret, "touches"), clock, metrics, settings),
        linked_codes=LinkedCodes(database, invalidations, clock),
        signing_keys=signing_keys,
        access_tokens=AccessTokens(signing_keys, issuer=issuer, lifetime=lifetime),
        refresh_tokens=RefreshTokens(derive_key(secret, "refresh tokens")),
        server_tokens=ServerTokens(signing_keys, issuer=issuer, lifetime=lifetime),
        live_sessions=LocalCache(invalidations, clock, seconds=REMEMBERED),
        known_servers=LocalCache(invalidations, clock, seconds=api_key_auth.REMEMBERED),
        passwords=Passwords.from_settings(settings, metrics, processes=processes),
        login_throttle=LoginThrottle(derive_key(secret, "sign-in failures"), counted=is_limited),
        page_cookies=Cookies(derive_key(secret, "page cookies"), settings.public_url),
        page_assets=assets,
        cursors=Cursors(derive_key(secret, "cursors")),
        programs=ProgramRegistry(database, invalidations, clock),
        webhook_subscriptions=Subscriptions(database, invalidations, clock),
        reward_rules=RuleRegistry(database, invalidations, clock),
        landing_pages=LandingPages(settings, assets),
        link_cards=LinkCards(settings, assets),
        scripts=Scripts(settings),
        oauth_clients=oauth_clients.ClientRegistry(keys.oauth, built_in=docs_client),
        social_clients=_build_social_clients(settings, providers),
    )


def _build_social_clients(
    settings: Settings, providers: Sequence[Provider] | None
) -> social_clients.ProviderClients:
    return social_clients.ProviderClients(
        configured(settings) if providers is None else providers,
        key=derive_key(settings.secret, "sign-ins under way"),
        public_url=settings.public_url,
    )


def _build_tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    try:
        from goodword.telemetry.trace_export import Tracing
    except ImportError:
        raise SettingsError(
            "GOODWORD_OTLP_ENDPOINT needs more packages: pip install goodword[traces]"
        ) from None
    return Tracing(settings.otlp_endpoint)


async def open_services(
    services: Services, *, migrate: bool = False, on_wait: Callable[[], None] | None = None
) -> None:
    """Check the schema and the secret, and erase again the accounts that a backup has restored.

    Every process that writes or sends calls this first. With `migrate`, migrate an outdated schema. Raises
    `SettingsError` if the schema is not current or the database was created with another secret.

    With `on_wait`, call it if the database cannot be reached, and then try until everything succeeds.
    """
    reason = None
    while True:
        try:
            await _open_once(services, migrate=migrate)
        except (SettingsError, DBAPIError, PoolTimeout, OSError) as error:
            previous, reason = reason, str(error) if isinstance(error, SettingsError) else describe(error)
            if on_wait is None or (previous is None and reason not in AWAY):
                raise
            if previous is None:
                on_wait()
            if reason != previous:
                log.warning("waiting for the database", why=reason)
        else:
            if reason is not None:
                log.info("the database can be used")
            return
        await asyncio.sleep(WAIT_SECONDS)


async def _open_once(services: Services, *, migrate: bool) -> None:
    if problem := await migrations.problem(services.database):
        if not migrate:
            raise SettingsError(problem)
        await migrations.upgrade(services.settings.database)
    await services.database.fit_pools()
    await database_clock.compare(services)
    try:
        await services.signing_keys.load()
    except WrongSecret:
        raise SettingsError(
            "GOODWORD_SECRET_KEY is not the secret that this database was made with."
        ) from None
    # After the check of the secret: with another secret no tombstone matches, and all would count as processed.
    await erasure.erase_again(services)


async def close_services(services: Services) -> None:
    """Close all connections, those of the database last, because other services use it."""
    services.passwords.close()
    await services.http_client.close()
    await services.webhook_client.close()
    await services.rate_limiter.close()
    await services.cache.close()
    await services.touches.close()
    await services.database.close()
    if services.tracing:
        await asyncio.to_thread(services.tracing.close)


@asynccontextmanager
async def opened(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Services]:
    """Build, open and finally close the services of a command. Raises what `open_services` raises."""
    services = build_services(settings)
    try:
        await open_services(services, migrate=migrate)
        yield services
    finally:
        await close_services(services)


@asynccontextmanager
async def serving(services: Services, *, run_jobs: bool, migrate: bool = False) -> AsyncIterator[None]:
    """Open the services of an app, run its tasks during the block, and finally close the services.

    With `run_jobs`, run jobs too. If the database cannot be reached, the block begins nevertheless, and
    `services.waiting` is set until the services are open. Raises what `open_services` raises.
    """
    begun = asyncio.Event()

    def wait() -> None:
        services.waiting.set()
        begun.set()

    async def run() -> None:
        await open_services(services, migrate=migrate, on_wait=wait)
        async with _running_tasks(services, run_jobs=run_jobs):
            services.waiting.clear()
            begun.set()
            await asyncio.Event().wait()  # until it is cancelled

    running, beginning = asyncio.create_task(run()), asyncio.create_task(begun.wait())
    try:
        await asyncio.wait({running, beginning}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running  # raises
        yield
    finally:
        beginning.cancel()
        running.cancel()
        await asyncio.gather(running, beginning, return_exceptions=True)
        await close_services(services)


@asynccontextmanager
async def _running_tasks(services: Services, *, run_jobs: bool) -> AsyncIterator[None]:
    await services.database.warn_if_read_only()
    if not run_jobs:
        await lateness.warn_at_start(services)
    tasks = [services.signing_keys.watch(), services.database.watch(), gauges.keep_published(services)]
    tasks.append(services.touches.keep_writing())
    if not run_jobs:
        tasks += [lateness.watch(services), database_clock.watch(services), tombstones.mirror(services)]
    watching = [asyncio.create_task(task) for task in tasks]
    try:
        worker = build_worker(services).running() if run_jobs else nullcontext()
        async with services.cache.following(), worker:
            yield
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)  # before the database is closed


def build_worker(services: Services, *, concurrency: int = CONCURRENCY) -> Worker:
    return Worker(
        services,
        HANDLERS,
        recurring=PERIODIC_TASKS,
        concurrency_groups=CONCURRENCY_GROUPS,
        group_limits=GROUP_LIMITS,
        serial_kinds=SERIAL_KINDS,
        node_tasks={
            **retention.NODE_TASKS,
            database_clock.compare: database_clock.COMPARE_SECONDS,
            nightly.make_backup: nightly.LOOK_SECONDS,
        },
        concurrency=concurrency,
    )
