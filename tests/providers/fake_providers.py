"""Fake Hunter and Clearbit servers, in a thread. Tests configure their answers and failures."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from servers import application_server

KEY = "hunter-key-5f1d2c"
CLEARBIT_KEY = "sk_clearbit-key-77aa01"
VERIFIER, FIND = "/v2/email-verifier", "/v2/combined/find"
PERSON = {
    "name": {"fullName": "Alice Liddell", "givenName": "Alice", "familyName": "Liddell"},
    "employment": {"title": "Head of Curiosity", "role": "research", "seniority": "executive"},
    "geo": {"city": "Oxford", "country": "United Kingdom", "lat": 51.7},
    "linkedin": {"handle": "in/alice"},
    "github": {"handle": "alice", "followers": 3},
    "twitter": {"handle": None},
}
COMPANY = {"name": "Rabbit Hole Ltd", "domain": "rabbit.example", "metrics": {"employees": 3}}

Answer = Callable[[Request], Response]


@dataclass
class Services:
    """`verdict` is what Hunter says of every address; `answers` replaces what stands at a path."""

    url: str
    verdict: str = "valid"
    person: Any = field(default_factory=lambda: dict(PERSON))
    company: Any = field(default_factory=lambda: dict(COMPANY))
    answers: dict[str, Answer] = field(default_factory=dict)
    delay: float = 0
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    """When, which path, about whom."""
    urls: list[str] = field(default_factory=list)

    def reset(self) -> None:
        fresh = Services(self.url)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(fresh, name))

    async def is_asked(self) -> None:
        for _ in range(1000):
            if self.asked:
                return
            await anyio.sleep(0.01)
        raise AssertionError("nobody asked")

    def count(self, path: str = VERIFIER) -> int:
        return sum(asked == path for _, asked, _ in self.asked)


def text(body: str | bytes, status: int = 200, **headers: Any) -> Answer:
    return lambda _request: Response(body, status, headers, media_type="application/json")


def status(code: int) -> Answer:
    return text(json.dumps({"errors": [{"id": "wrong", "code": code, "details": "no"}]}), code)


def endless(size: int) -> Answer:
    async def chunks():
        for _ in range(size // 65536):
            yield b" " * 65536
        yield b"{}"

    return lambda _request: StreamingResponse(chunks(), media_type="application/json")


def _application(services: Services) -> Starlette:
    def served(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def run(request: Request) -> Response:
            path = request.url.path
            services.asked.append((time.monotonic(), path, request.query_params["email"]))
            services.urls.append(str(request.url))
            await anyio.sleep(services.delay)
            if path in services.answers:
                return services.answers[path](request)
            return answer(request)

        return run

    def verify(request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return status(401)(request)
        data = {"status": services.verdict, "result": "deliverable", "score": 50}
        return JSONResponse({"data": data, "meta": {"params": {"email": request.query_params["email"]}}})

    def find(request: Request) -> Response:
        found = {"person": services.person, "company": services.company}
        if request.headers.get("x-api-key") == KEY:
            return text(json.dumps({"data": found}))(request)
        if request.headers.get("authorization") == "Basic c2tfY2xlYXJiaXQta2V5LTc3YWEwMTo=":
            return text(json.dumps(found))(request)
        return status(401)(request)

    return Starlette(routes=[Route(VERIFIER, served(verify)), Route(FIND, served(find))])


@contextmanager
def serving() -> Iterator[Services]:
    """Serve both providers until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        services = Services(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with application_server(_application(services), listener):
            yield services


@contextmanager
def resetting() -> Iterator[str]:
    """Run a server that reads the request and resets the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(1024)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
