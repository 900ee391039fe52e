"""Bytes on the wire, as no HTTP library would send them, and what comes back."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOST = "Host: 127.0.0.1\r\n"


@dataclass
class Heard:
    """All that a server said on a connection."""

    text: bytes
    closed: bool
    """Whether the server ended it, and we did not lose patience."""
    seconds: float

    @property
    def statuses(self) -> list[int]:
        """Of each answer, without 100 Continue."""
        lines = [part.partition(b"\r\n")[0] for part in self.text.split(b"HTTP/1.1 ")[1:]]
        return [int(line.split()[0]) for line in lines if not line.startswith(b"100")]

    @property
    def headers(self) -> dict[str, str]:
        """Of the first answer."""
        head = self.text.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(": ") for line in head.split("\r\n")[1:])
        return {name.lower(): value for name, _, value in pairs}

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self.text
        return json.loads(self.text.partition(b"\r\n\r\n")[2])


def connect(url: str, timeout: float = 15) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=timeout)


@contextmanager
def connections(url: str, count: int) -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        opened.extend(connect(url) for _ in range(count))
        yield opened
    finally:
        for one in opened:
            one.close()


def hear(connection: socket.socket, patience: float = 15, enough: bytes | None = None) -> Heard:
    """What comes until the server closes, or, with `enough`, until that came."""
    began, text = time.monotonic(), b""
    try:
        while enough is None or enough not in text:
            connection.settimeout(max(began + patience - time.monotonic(), 0.01))
            piece = connection.recv(65536)
            if not piece:
                return Heard(text, True, time.monotonic() - began)
            text += piece
    except ConnectionError:
        return Heard(text, True, time.monotonic() - began)
    except TimeoutError:
        pass
    return Heard(text, False, time.monotonic() - began)


def say(url: str, *pieces: bytes | str, pause: float = 0, patience: float = 15) -> Heard:
    """Send these, and hear the server out. A server that hangs up on us may have said something before."""
    with connect(url) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
                time.sleep(pause)
        except ConnectionError:
            pass
        return hear(connection, patience)


def pour(connection: socket.socket, piece: bytes, *, limit: int) -> int:
    """Send `piece` again and again until the server hangs up. Return the bytes sent, at most some more than `limit`."""
    sent = 0
    try:
        while sent < limit:
            connection.sendall(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


def request(*lines: str, method: str = "GET", target: str = "/livez", close: bool = True) -> str:
    """A request without a body, with these header fields beside Host."""
    fields = [*lines, "Connection: close"] if close else lines
    return f"{method} {target} HTTP/1.1\r\n{HOST}" + "".join(f"{line}\r\n" for line in fields) + "\r\n"


def memory_of(pid: int) -> int:
    """Return the resident bytes of a process and its children. Forked ones also grow by pages that were shared."""
    total = 0
    for one in family(pid):
        lines = Path(f"/proc/{one}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
    return total


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(one for child in children for one in family(int(child)))]
