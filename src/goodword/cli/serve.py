"""Run the service in one process or in several."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from goodword.cli import supervisor
from goodword.cli.supervisor import Child, Supervisor
from goodword.config.settings import Settings
from goodword.jobs.worker import GRACE_SECONDS
from goodword.logs import configure_logging
from goodword.web.connection_limit import connection_limit
from goodword.web.server import BACKLOG, Server, bind as bind_sockets
from goodword.web.uvicorn_protocol import HttpProtocol

STOP_SECONDS = 20
"""From SIGTERM to the end of a process: the drain, its last requests and its last jobs."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Return the sockets of the program that was replaced by this one, or new ones. Raises `OSError`."""
    return supervisor.inherited_sockets() or bind_sockets(host, port)


def serve(
    app: FastAPI,
    sockets: list[socket.socket],
    settings: Settings,
    *,
    workers: int,
    on_ready: Callable[[], None],
) -> NoReturn:
    """Serve until a signal, and end by it. Raises what the lifespan of the app raises."""
    configure_logging(settings.log_format)
    if workers == 1:
        _end_by(_serve(app, sockets, settings, on_ready=on_ready))
    parent = Supervisor(workers, sockets, on_ready=on_ready)
    child = parent.run()
    if child is None:
        _end_by(parent.ended_by)
    configure_logging(settings.log_format)  # its thread was not forked
    app.state.services.metrics.use_row(child.number)
    _end_by(_serve(app, sockets, settings, child=child))


def _serve(
    app: FastAPI,
    sockets: list[socket.socket],
    settings: Settings,
    *,
    child: Child | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> signal.Signals:
    """Serve in this process. Return the signal that stopped it."""
    last_jobs = GRACE_SECONDS if settings.embedded else 0
    config = uvicorn.Config(
        app,
        lifespan="off",  # below, so that its errors reach the caller
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=HttpProtocol,
        ws="none",
        limit_concurrency=connection_limit(),
        timeout_graceful_shutdown=int(STOP_SECONDS - settings.drain_seconds - last_jobs),
        timeout_keep_alive=15,
        callback_notify=child.beat if child else None,
        timeout_notify=1,
    )
    server = Server(
        config, drain_seconds=settings.drain_seconds, is_last=child.is_last if child else lambda: True
    )

    async def run() -> None:
        async with app.router.lifespan_context(app):
            if child:
                child.on_end_of_supervisor(server.stop)
            on_ready()
            await server.serve(sockets)

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())
    return server.ended_by


def _end_by(number: signal.Signals) -> NoReturn:
    """End this process by the signal that stopped it, as its parent expects."""
    logging.shutdown()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    raise SystemExit(128 + number)
