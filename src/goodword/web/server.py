"""The server of a process, which stops without losing a request."""

import asyncio
import ctypes
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from goodword.web.request_context import STOPPING

BACKLOG = 2048
TICK = 0.1

SO_ATTACH_FILTER = 26
SYN_FILTER = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of the TCP flags
        (0x45, 0, 1, 0x02),  # unless it has SYN, skip the next instruction
        (0x06, 0, 0, 0),  # drop the segment
        (0x06, 0, 0, 0xFFFF),  # accept it
    )
)
"""A classic BPF program that drops segments that open a connection."""


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops.

    After SIGTERM it goes on for `drain_seconds`: `STOPPING` is in the state of requests, so that it is no longer ready
    and each connection ends with its next response. Then it accepts no more connections, and finishes the requests of
    those that it has. SIGINT and a second signal end the drain.
    """

    def __init__(
        self, config: uvicorn.Config, *, drain_seconds: float, is_last: Callable[[], bool] = lambda: True
    ) -> None:
        """Create a server. `is_last` returns whether no other process goes on with the same sockets."""
        super().__init__(config)
        self._drain_seconds, self._is_last = drain_seconds, is_last
        self.ended_by = signal.SIGTERM

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals. uvicorn would raise them again before the services are closed; see `ended_by`."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit or sig == signal.SIGINT:
            self._drain_seconds = 0
        if not self.should_exit:
            self.ended_by = signal.Signals(sig)
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        self.handle_exit(signal.SIGTERM, None)

    async def main_loop(self) -> None:
        await super().main_loop()
        self.lifespan.state[STOPPING] = True
        stopped, ticks = time.monotonic(), 0
        while time.monotonic() < stopped + self._drain_seconds:
            await self.on_tick(ticks := ticks + 1)  # it keeps the date of responses
            await asyncio.sleep(TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._is_last():
            for listener in sockets or []:
                drop_new_connections(listener)
        for _ in range(3):  # the loop accepts every connection that the kernel has already made
            await asyncio.sleep(TICK / 2)
        await super().shutdown(sockets)


def drop_new_connections(listener: socket.socket) -> None:
    """Make the kernel ignore new connections to a listening socket, where it can.

    A socket that is closed resets the connections that it has not accepted. So it must first stop to receive new ones.
    Clients repeat an ignored SYN after a second: the closed socket then refuses it, and a proxy tries another server.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(SYN_FILTER)
    value = struct.pack("HP", len(SYN_FILTER) // 8, ctypes.addressof(program))
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, value)


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to all addresses of the host. `::` is every address, of IPv4 too."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets = []
    for family, _, _, _, address in addresses:
        bound = socket.socket(family)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        try:
            bound.bind(address)
        except OSError as error:
            raise OSError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from None
        sockets.append(bound)
    return sockets
