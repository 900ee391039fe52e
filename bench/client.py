"""Send requests once: what must be known before a measurement, and writes that cannot be repeated."""

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import seed
from row import Result
from stack import Refused, Server
from wrk import CONNECTIONS


class Request(NamedTuple):
    method: str
    path: str
    body: object = None
    token: str | None = None


def ask(server: Server, path: str, body: object = None, token: str | None = None) -> bytes:
    """Return the body of the response. Raises `Refused` if it is an error."""
    request = Request("GET" if body is None else "POST", path, body, token)
    return send_once(server, [request])[1][0]


def send_once(
    server: Server, requests: Sequence[Request], *, connections: int = CONNECTIONS
) -> tuple[Result, list[bytes]]:
    """Send each request once, and return the bodies of the responses in order. Raises `Refused` at an error.

    The client is Python on the same cores: its times are longer than those of wrk. The CPU times are not affected.
    """
    waits: list[float] = []
    bodies: dict[int, bytes] = {}

    def send(first: int) -> None:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        for number in range(first, len(requests), connections):
            began = time.perf_counter()
            bodies[number] = _exchange(connection, requests[number], number)
            waits.append((time.perf_counter() - began) * 1000)
        connection.close()

    began = time.perf_counter()
    with server.counted_cpu() as used, ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, range(min(connections, len(requests)))))
    count = len(requests)
    result = Result(
        per_second=count / (time.perf_counter() - began),
        p50=statistics.median(waits),
        p99=statistics.quantiles(waits, n=100, method="inclusive")[-1] if count > 1 else waits[0],
        most=max(waits),
        service_cpu=used["service"] / count * 1e6,
        database_cpu=used["database"] / count * 1e6,
    )
    return result, [bodies[number] for number in range(count)]


def sign_in(server: Server, person: int) -> tuple[str, str]:
    """Return an access token of this user, and the path of the first page of their referrals."""
    [token] = tokens(server, [person])
    me = json.loads(ask(server, "/api/v1/me", token=token))
    return token, f"/api/v1/users/{me['id']}/referrals"


def tokens(server: Server, people: Iterable[int]) -> list[str]:
    """Return an access token of each user."""
    credentials = [{"email": seed.email(person), "password": seed.PASSWORD} for person in people]
    _, bodies = send_once(server, [Request("POST", "/api/v1/sessions", one) for one in credentials])
    return [json.loads(body)["access_token"] for body in bodies]


def _exchange(connection: HTTPConnection, request: Request, number: int) -> bytes:
    headers = {"X-Forwarded-For": f"10.128.{number // 256 % 256}.{number % 256}"}  # see `requests.lua`
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    content = None
    if request.body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(request.body)
    connection.request(request.method, request.path, content, headers)
    response = connection.getresponse()
    body = response.read()
    if response.status >= 300:
        raise Refused(f"{request.path}: {response.status} {body!r}")
    return body
