"""The middleware with a span for each request, used if OTLP_ENDPOINT is set."""

from typing import Any

from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import ASGIApp

from goodword.services import Services
from goodword.web.exchange import Exchange
from goodword.web.guard import MONITORED_PATHS
from goodword.web.middleware import METHODS, RequestMiddleware
from goodword.web.request_context import route_of


class TracedRequests(RequestMiddleware):
    """Records each request by the template of its path, except those of monitoring.

    The trace of the header `traceparent` is continued.
    """

    def __init__(self, app: ASGIApp, *, services: Services, **options: Any) -> None:
        super().__init__(app, services=services, **options)
        assert services.tracing
        self.tracing = services.tracing

    async def _serve(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if scope["path"] in MONITORED_PATHS:
            await super()._serve(exchange)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        with self.tracing.span(
            method, SpanKind.SERVER, {"http.request.method": method}, continues=given.decode("latin-1")
        ) as span:
            try:
                await super()._serve(exchange)
            finally:
                route = route_of(exchange.scope)
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", exchange.status)
                if exchange.status >= 500:
                    span.set_status(StatusCode.ERROR)
