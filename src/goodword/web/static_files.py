"""Static files that are kept in memory, compressed at their first use, and sent with an `ETag`."""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Self

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
}
IMMUTABLE = "public, max-age=31536000, immutable"
"""For a URL with the version of the file."""
MIN_SIZE = 1000
"""Bytes from which compression pays."""


def _brotli(body: bytes) -> bytes:
    import brotli  # saves start-up time

    compressed: bytes = brotli.compress(body, quality=9)  # 11 takes twenty times as long and saves a twelfth
    return compressed


COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": gzip.compress}
"""By coding, the best first."""


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    media_type: str
    version: str
    """A hash of the body."""
    _compressed: dict[str, bytes] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def create(cls, body: bytes, suffix: str) -> Self:
        return cls(body, TYPES[suffix], hashlib.sha256(body).hexdigest()[:16])

    @property
    def is_compressible(self) -> bool:
        return len(self.body) >= MIN_SIZE and self.media_type != TYPES[".png"]

    def compress(self, coding: str) -> bytes:
        """Return the body in a coding. The first call takes up to a second."""
        with self._lock:
            if coding not in self._compressed:
                self._compressed[coding] = COMPRESSORS[coding](self.body)
            return self._compressed[coding]


async def send(
    request: Request,
    file: StaticFile,
    *,
    cache_control: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the file in the best coding that the client accepts, or 304 if it has this version.

    A URL with `?v=` and the version of the file never changes its contents. Any other is revalidated at each use.
    """
    if cache_control is None:
        cache_control = IMMUTABLE if request.query_params.get("v") == file.version else "no-cache"
    coding = _coding(request.headers.get("accept-encoding", "")) if file.is_compressible else None
    etag = f'"{file.version}-{coding}"' if coding else f'"{file.version}"'
    headers = {"Cache-Control": cache_control, "ETag": etag, **(headers or {})}
    if file.is_compressible:
        headers["Vary"] = "Accept-Encoding"
    # A proxy that compresses responses makes the tag weak.
    known = request.headers.get("if-none-match", "").strip()
    if known == "*" or any(tag.strip().removeprefix("W/") == etag for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    body = file.body
    if coding:
        headers["Content-Encoding"] = coding
        body = await run_in_threadpool(file.compress, coding)
    return Response(body, media_type=file.media_type, headers=headers)


def _coding(accept_encoding: str) -> str | None:
    """Return the best coding that the header lists (RFC 9110 §12.5.3)."""
    listed = [part.partition(";") for part in accept_encoding.lower().split(",")]
    accepted = {name.strip() for name, _, weight in listed if not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)}
    return next((coding for coding in COMPRESSORS if coding in accepted), None)
