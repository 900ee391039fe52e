"""Limits on a request that are checked before any other work, and the hosts that the service serves."""

import asyncio
import re
import time
from typing import TypedDict
from urllib.parse import urlsplit

import structlog

from goodword.config.settings import Settings
from goodword.errors import AppError, DatabaseUnavailable, UnsupportedMediaType
from goodword.web.exchange import MAX_BODY, Exchange
from goodword.web.hosts import to_ascii
from goodword.web.request_errors import (
    HeaderRepeated,
    HeadTooLarge,
    HostRefused,
    Overloaded,
    UriTooLong,
)

MAX_FIELDS = 64
MAX_HEAD = 16 * 1024
MAX_TARGET = 4 * 1024
BODY_SECONDS = 8.0
"""The largest body arrives in time at 8 KiB a second."""
MAX_CONCURRENT = 1000
"""Concurrent requests of a process. More would wait for a database connection until the deadline."""

HEALTH_PATHS = frozenset({"/livez", "/readyz"})
MONITORED_PATHS = HEALTH_PATHS | {"/metrics"}
"""Monitoring is exempt from rate limits and the number of requests, and health probes from the check of `Host` too."""
SINGLE_HEADERS = frozenset(b"host authorization content-type content-encoding content-length".split())
ENCODINGS = {"Accept-Encoding": "identity"}
"""With 415: the refused coding is that of the content, not its type (RFC 9110 §12.5.3)."""
ANY_HOST = b"*"
DOT = ord(".")
HOST = re.compile(rb"[a-z0-9.:\[\]-]{1,253}")
"""A refused host that is logged. Others could hold anything."""
HOST_WARNING_SECONDS = 10.0
"""Interval of the warnings about refused hosts. Scanners send many."""

log = structlog.get_logger("goodword.request")


class RequestLimits(TypedDict, total=False):
    """Limits on a request that override the defaults."""

    body_seconds: float
    deadline: float
    max_concurrent: int


class Guard:
    """Finds the reason to refuse a request. While `waiting` is set, there is no database to serve it."""

    def __init__(self, hosts: frozenset[bytes], waiting: asyncio.Event, limits: RequestLimits) -> None:
        self._hosts, self._waiting = hosts, waiting
        self._next_host_warning = 0.0
        self._body_seconds = limits.get("body_seconds", BODY_SECONDS)
        self._max_concurrent = limits.get("max_concurrent", MAX_CONCURRENT)
        self.active = 0
        """Requests that the application is serving."""

    def check(self, exchange: Exchange) -> AppError | None:
        """Return the error to answer with, or None. Expects the body of the request, if it has one."""
        scope, single = exchange.scope, {}
        headers = scope["headers"]
        if len(headers) > MAX_FIELDS:
            return HeadTooLarge()
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name in SINGLE_HEADERS:
                if name in single:
                    return UnsupportedMediaType() if name == b"content-type" else HeaderRepeated()
                single[name] = value
        if size > MAX_HEAD:
            return HeadTooLarge()
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return UriTooLong()
        path = scope["path"]
        if path not in HEALTH_PATHS and not self._serves(single.get(b"host", b"")):
            return HostRefused()
        if path not in MONITORED_PATHS and (error := self._check_work(single)):
            return error
        length = _length(single.get(b"content-length", b""))
        if length:
            exchange.expect_body(self._body_seconds)
        return exchange.refuse_body() if length > MAX_BODY else None

    def _check_work(self, headers: dict[bytes, bytes]) -> AppError | None:
        if self._waiting.is_set():
            return DatabaseUnavailable()
        if self.active >= self._max_concurrent:
            return Overloaded()
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return UnsupportedMediaType(headers=ENCODINGS)
        return None

    def _serves(self, host: bytes) -> bool:
        if host in self._hosts and not host.startswith(b"*"):
            return True
        name, colon, port = host.lower().rpartition(b":")
        if not colon or name.endswith(b":") or (port and not port.isdigit()):
            name = host.lower()
        if name.startswith(b"*"):
            return False
        wildcards = (b"*" + name[index:] for index, byte in enumerate(name) if index and byte == DOT)
        if (
            name in self._hosts
            or (name and ANY_HOST in self._hosts)
            or any(one in self._hosts for one in wildcards)
        ):
            return True
        now = time.monotonic()
        if now >= self._next_host_warning:
            self._next_host_warning = now + HOST_WARNING_SECONDS
            log.warning(
                "host refused: see ALLOWED_HOSTS", host=name.decode() if HOST.fullmatch(name) else None
            )
        return False


def _length(declared: bytes) -> int:
    """Return the content length, or -1 if the request declares none."""
    # 20 digits suffice to exceed the limit, and int() rejects very long numbers.
    return int(declared.lstrip(b"0")[:20] or b"0") if declared.isdigit() else -1


def hosts_of(settings: Settings) -> frozenset[bytes]:
    """Return the host names that the service accepts, in the form of the `Host` header."""
    public = urlsplit(settings.public_url).hostname or ""
    others = settings.allowed_hosts or ("localhost", "127.0.0.1", "::1")
    return frozenset(_host_value(name) for name in (public, *others))


def _host_value(name: str) -> bytes:
    name = name.lower()
    if ":" in name:
        return f"[{name.strip('[]')}]".encode()
    name, wildcard = name.removeprefix("*."), b"*." if name.startswith("*.") else b""
    return wildcard + to_ascii(name).encode()
