"""The middleware of the application: what is done for every request, in one layer.

It sets the address of the client and the id of the request, refuses a request over a limit, answers repeated
look-ups from memory, ends what takes too long, handles unexpected errors and writes the log.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from uuid_utils import uuid7

from goodword.actor import Actor, ActorContext, actor_context
from goodword.db.database import TIMED_OUT
from goodword.errors import AppError, InternalError, NotFound
from goodword.logs import request_id_var
from goodword.rate_limits.dependencies import is_counted_as_lookup
from goodword.rate_limits.limiter import RateLimited
from goodword.services import Services
from goodword.telemetry.metrics import REQUESTS
from goodword.web.cors import Cors
from goodword.web.exchange import Exchange
from goodword.web.guard import MONITORED_PATHS, Guard, RequestLimits, hosts_of
from goodword.web.problems import ErrorResponder, answer
from goodword.web.proxies import TrustedProxies
from goodword.web.request_context import READS, route_of, standard_headers
from goodword.web.request_errors import TookTooLong

SLOW = 1.0
"""Seconds after which a request is always logged."""
DEADLINE = 25.0
"""Seconds for one request. Its waits add up to less: 8 for the body, 6 for a password hash, 2.5 for a provider,
5 for a connection and 5 for a lock. PostgreSQL ends an idle transaction after 30, and most proxies time out."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

WarmAnswer = Callable[[Scope], bytes | None]

log = structlog.get_logger("goodword.request")


class RequestMiddleware:
    """Serves a request. HEAD is served as GET without a body.

    `respond` renders an error. `warm_answer` returns a JSON document from memory, or None to call the application.
    `may_match` returns whether there may be a route.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        services: Services,
        respond: ErrorResponder,
        warm_answer: WarmAnswer,
        may_match: Callable[[Scope], bool],
        limits: RequestLimits,
    ) -> None:
        self.app, self.respond = app, respond
        self.warm_answer, self.may_match = warm_answer, may_match
        settings = services.settings
        self.clock, self.limiter, self.metrics = services.clock, services.rate_limiter, services.metrics
        self.proxies = TrustedProxies(settings.trusted_proxies)
        origins, embedding = settings.cors_origins, settings.embed_origins
        self.cors = Cors(origins, embedding) if origins or embedding else None
        self.headers = standard_headers(https=settings.public_url.startswith("https://"))
        self.log_reads = settings.reads_logged
        self.guard = Guard(hosts_of(settings), services.waiting, limits)
        self.deadline = limits.get("deadline", DEADLINE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        self.proxies.set_client(scope)
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        request_id_var.set(request_id)
        exchange = Exchange(scope, receive, send, self.headers, self.cors)
        try:
            await self._serve(exchange)
        except ClientDisconnect:
            exchange.status = 499  # the status that nginx logs for a closed connection
        finally:
            took, method, status = time.perf_counter() - began, scope["method"], exchange.status
            route = route_of(exchange.scope)
            self.metrics.observe(took, REQUESTS, method if method in METHODS else "other", route, status)
            # Logging each read may cost more than the response.
            if self.log_reads or status >= 400 or took > SLOW or method not in READS:
                log.info("request", method=method, route=route, status=status, ms=round(took * 1000, 1))

    async def _serve(self, exchange: Exchange) -> None:
        scope, found = exchange.scope, None
        error = self.guard.check(exchange)
        if error is None:
            try:
                found = self.warm_answer(scope)
                if found is None and not _is_counted_elsewhere(scope["path"]):
                    self.limiter.count(scope, "requests")
                if found is None and not self.may_match(scope):
                    error = NotFound()
            except RateLimited as limited:
                error = limited
        if error is not None:
            await self._refuse(exchange, error)
        elif found is not None:
            await exchange.send_json(found)
        else:
            await self._call(exchange)

    async def _call(self, exchange: Exchange) -> None:
        """Call the application, with a deadline."""
        scope, loop = exchange.scope, asyncio.get_running_loop()
        token = actor_context.set(self._anonymous(scope))
        self.guard.active += 1
        exchange.timer = loop.call_later(self.deadline, self._time_out, exchange)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            if exchange.timeout_reply is None:
                raise
        except asyncio.CancelledError:
            if not exchange.aborted:
                raise
            raise ClientDisconnect from None
        except Exception as error:  # noqa: BLE001  logged in `_handle_exception`
            await self._handle_exception(exchange, error)
        finally:
            exchange.timer.cancel()
            self.guard.active -= 1
            actor_context.reset(token)
        if exchange.timeout_reply is not None:
            await exchange.timeout_reply

    def _anonymous(self, scope: Scope) -> ActorContext:
        client = scope.get("client")
        peer, request_id = client[0] if client else None, scope["state"]["request_id"]
        return ActorContext(Actor.ANONYMOUS, request_id=request_id, peer=peer, clock=self.clock)

    def _time_out(self, exchange: Exchange) -> None:
        """Send a timeout reply. The application is not cancelled, because that would leak database connections.

        Each of its waits has a timeout, and `Database.transaction` rolls back because of `TIMED_OUT`.
        """
        if exchange.progressed:  # a long response to a slow client: the deadline applies to each part
            exchange.progressed = False
            exchange.timer = asyncio.get_running_loop().call_later(self.deadline, self._time_out, exchange)
            return
        log.warning("request given up", route=route_of(exchange.scope))
        if exchange.response_started:
            exchange.aborted = True  # the client does not read; the transaction has ended
            exchange.task.cancel()
        else:
            exchange.scope["state"][TIMED_OUT] = True
            exchange.timed_out = True
            exchange.timeout_reply = asyncio.create_task(self._refuse(exchange, TookTooLong()))

    async def _refuse(self, exchange: Exchange, error: AppError) -> None:
        request = Request(exchange.scope)
        try:
            response = self.respond(request, error)
        except Exception:  # the error page itself may be broken
            log.exception("no answer to an error", route=route_of(exchange.scope))
            response = answer(error, request.state.request_id)
        await response(exchange.scope, exchange.receive, exchange.forward)

    async def _handle_exception(self, exchange: Exchange, error: Exception) -> None:
        route = route_of(exchange.scope)
        if isinstance(error, DBAPIError):
            # The text of the error may quote a row, so it is not logged.
            sqlstate = getattr(error.orig, "sqlstate", None)
            log.error("request failed", route=route, error=type(error).__name__, sqlstate=sqlstate)
        else:
            log.error("request failed", route=route, exc_info=error)
        if exchange.timed_out:
            return
        if exchange.response_started:
            raise error  # uvicorn closes the connection, which ends the incomplete response
        await self._refuse(exchange, InternalError())


def _is_counted_elsewhere(path: str) -> bool:
    return path in MONITORED_PATHS or is_counted_as_lookup(path)
