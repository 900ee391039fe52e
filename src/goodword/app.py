"""The web application: its services, its middleware and its routes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware

from goodword import __version__, routes
from goodword.composition import build_services, serving
from goodword.config.loading import load, with_own_secret
from goodword.config.settings import Settings
from goodword.logs import configure_logging
from goodword.monitoring.database_totals import DatabaseTotals
from goodword.oauth import error_responses as oauth_errors, scopes
from goodword.services import Services
from goodword.signup import landing_page
from goodword.social.providers import Provider
from goodword.web import api_docs, openapi, problems
from goodword.web.guard import RequestLimits
from goodword.web.html import rendering
from goodword.web.middleware import RequestMiddleware
from goodword.web.route_table import RouteTable
from goodword.webhooks.bodies import WEBHOOKS


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    run_jobs: bool = False,
    migrate: bool = False,
    providers: Sequence[Provider] | None = None,
    processes: int = 1,
    limits: RequestLimits | None = None,
) -> FastAPI:
    """Create the application. It does not connect before its lifespan begins.

    With `run_jobs`, it also runs jobs; otherwise start `goodword worker`. With `migrate`, its lifespan migrates an
    outdated schema. `limits` overrides limits on a request.
    See `build_services` for the other parameters and for errors, and `open_services` for errors of the lifespan.
    """
    services = build_services(settings, clock=clock, providers=providers, processes=processes)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with serving(services, run_jobs=run_jobs, migrate=migrate):
            yield
            await app.state.database_totals.close()

    app = FastAPI(
        title=settings.brand_name,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would redirect to the host of the Host header
        openapi_url=None,  # `api_docs` serves it, encoded once
        generate_unique_id_function=lambda route: route.name,
        # FastAPI would look for a tracer at each request. The SDK that provides one is not installed.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    app.state.database_totals = DatabaseTotals(services)
    respond = problems.install(
        app, oauth_errors.render_error, landing_page.render_error, rendering.render_error
    )
    routes.install(app, pages=settings.pages == "on")
    if settings.docs_shown:
        _install_docs(app, services)
    app.router.middleware_stack = table = RouteTable(app.router)
    # Not by `add_middleware`: around it FastAPI has layers that handle the same errors again, for each request.
    app.middleware_stack = _middleware(services)(
        ExceptionMiddleware(AsyncExitStackMiddleware(app.router), app.exception_handlers),
        services=services,
        respond=respond,
        warm_answer=routes.warm_answer,
        may_match=table.may_match,
        limits=limits or {},
    )
    return app


def _install_docs(app: FastAPI, services: Services) -> None:
    settings, assets = services.settings, services.page_assets
    openapi.install(
        app,
        public_url=settings.public_url,
        scopes=scopes.DOCUMENTATION,
        server_scopes=scopes.SERVER_SCOPES,
        webhooks=WEBHOOKS,
        clock=services.clock,
    )
    api_docs.install(app, brand=settings.brand_name, icon=assets.path(assets.icon).removeprefix("/"))


def _middleware(services: Services) -> type[RequestMiddleware]:
    if services.tracing is None:
        return RequestMiddleware
    from goodword.web.traced_requests import TracedRequests  # with the SDK of OpenTelemetry

    return TracedRequests


def from_environment() -> FastAPI:
    """Create the application for a server other than `goodword serve`, with the settings of its environment."""
    settings = with_own_secret(load())
    configure_logging(settings.log_format)
    return create_app(settings, run_jobs=settings.embedded)
