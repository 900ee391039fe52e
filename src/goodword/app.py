"""The web application: its services, its middleware and its routes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI

from goodword import __version__, routes
from goodword.clock import utc_now
from goodword.composition import build_services, serving
from goodword.config.loading import load, with_own_secret
from goodword.config.settings import Settings
from goodword.logs import configure_logging
from goodword.oauth import error_responses as oauth_errors, scopes
from goodword.rate_limits.middleware import RateLimitMiddleware
from goodword.services import Services
from goodword.signup import landing_page
from goodword.social.providers import Provider
from goodword.web import api_docs, openapi, problems
from goodword.web.cors import CorsMiddleware
from goodword.web.guard import RequestGuard, RequestLimits, hosts_of
from goodword.web.html import rendering
from goodword.web.proxies import TrustedProxiesMiddleware
from goodword.web.request_context import RequestContextMiddleware


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    run_jobs: bool = False,
    migrate: bool = False,
    providers: Sequence[Provider] | None = None,
    processes: int = 1,
    limits: RequestLimits | None = None,
) -> FastAPI:
    """Create the application. It does not connect before its lifespan begins.

    With `run_jobs`, it also runs jobs; otherwise start `goodword worker`. With `migrate`, its lifespan migrates an
    outdated schema. `limits` replaces those of `RequestGuard`.
    See `build_services` for the other parameters and for errors, and `open_services` for errors of the lifespan.
    """
    services = build_services(settings, clock=clock, providers=providers, processes=processes)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with serving(services, run_jobs=run_jobs, migrate=migrate):
            yield

    app = FastAPI(
        title=settings.brand_name,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would redirect to the host of the Host header
        openapi_url=None,  # `api_docs` serves it, encoded once
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    _add_middleware(app, services, limits or {})
    routes.install(app)
    if settings.docs_shown:
        openapi.install(
            app, public_url=settings.public_url, scopes=scopes.DOCUMENTATION, clock=services.clock
        )
        assets = services.page_assets
        api_docs.install(app, brand=settings.brand_name, icon=assets.path(assets.icon).removeprefix("/"))
    return app


def _add_middleware(app: FastAPI, services: Services, limits: RequestLimits) -> None:
    settings = services.settings
    respond = problems.install(
        app, oauth_errors.render_error, landing_page.render_error, rendering.render_error
    )
    # From the inside out: error responses need CORS headers, and all need those of the request context.
    app.add_middleware(RateLimitMiddleware, limiter=services.rate_limiter, refuse=respond)
    app.add_middleware(
        RequestGuard, respond=respond, hosts=hosts_of(settings), waiting=services.waiting, **limits
    )
    if settings.cors_origins:
        app.add_middleware(CorsMiddleware, origins=settings.cors_origins)
    app.add_middleware(
        RequestContextMiddleware,
        https=settings.public_url.startswith("https://"),
        log_reads=settings.reads_logged,
    )
    if settings.trusted_proxies:
        # Outermost, so that everything that counts by address sees the client's.
        app.add_middleware(TrustedProxiesMiddleware, trusted=settings.trusted_proxies)


def from_environment() -> FastAPI:
    """Create the application for a server other than `goodword serve`, with the settings of its environment."""
    settings = with_own_secret(load())
    configure_logging(settings.log_format)
    return create_app(settings, run_jobs=settings.embedded)
