"""What clients can do to a connection, as `goodword serve` takes it: cases A01–A08, A11, A29."""

import re
import statistics
import time
from contextlib import suppress

import pytest

from raw_http import HOST, connect, connections, hear, memory_of, request, say
from serving import UNFORKED, serving

REGISTER = "/api/v1/users"
TYPED = "Content-Type: application/json"
MEBIBYTE = 1024 * 1024
KEYS = {"type", "title", "status", "detail", "code", "request_id"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("service"), within=UNFORKED, LOG_REQUESTS="changes") as found:
        say(found.url, request())
        yield found


def assert_problem(heard, status, code):
    assert heard.statuses == [status], heard.text[:200]
    assert heard.problem.keys() == KEYS
    assert (heard.problem["status"], heard.problem["code"]) == (status, code)
    assert heard.headers["x-request-id"] == heard.problem["request_id"]
    assert heard.headers["x-content-type-options"] == "nosniff"
    assert heard.headers["cache-control"] == "no-store"
    assert "server" not in heard.headers


def post(*lines):
    return request(TYPED, *lines, method="POST", target=REGISTER, close=False)


def test_a01_a_body_that_is_announced_too_large_is_refused(service):
    heard = say(service.url, post("Content-Length: 65537"), b" " * 65537)

    assert_problem(heard, 413, "body_too_large")
    assert heard.closed


def test_a01_the_body_that_was_refused_may_still_come(service):
    """A proxy such as Caddy responds with 502 if it cannot send the whole body."""
    heard = b""
    with connect(service.url) as connection:
        connection.sendall(post("Content-Length: 80000").encode())
        while b"body_too_large" not in heard:
            heard += connection.recv(10_000)
        for _ in range(8):
            connection.sendall(b" " * 10_000)
        while part := connection.recv(10_000):
            heard += part

    assert heard.startswith(b"HTTP/1.1 413 ")
    assert heard.endswith(b"}")


def test_a02_an_endless_body_in_chunks_is_refused_at_the_limit(service):
    before = memory_of(service.process.pid)
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"

    heard = say(service.url, post("Transfer-Encoding: chunked"), *[chunk] * 2000)

    assert_problem(heard, 413, "body_too_large")
    assert heard.closed
    assert memory_of(service.process.pid) - before < 4 * MEBIBYTE


def test_a02_an_endless_body_to_somebody_who_does_not_read_it_has_an_end(service):
    with connect(service.url) as connection:
        head = request("Transfer-Encoding: chunked", method="POST", target="/nowhere", close=False)
        connection.sendall(head.encode())
        began = time.monotonic()
        while time.monotonic() < began + 10:
            try:
                connection.sendall(b"1\r\n \r\n")
            except ConnectionError:
                break
            time.sleep(0.2)
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("size", [20 * 1024, 2 * MEBIBYTE, 10 * MEBIBYTE])
@pytest.mark.parametrize("head", ["GET /livez HTTP/1.1\r\nConnection: close\r\nX: ", "GET /"])
def test_a03_a_large_head_is_refused_and_not_kept(service, head, size):
    before = memory_of(service.process.pid)

    heard = say(service.url, head, b"x" * size, f" HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n", patience=3)

    assert heard.statuses in ([431], [400], [414]), heard.text[:200]
    assert heard.problem.keys() == KEYS
    assert memory_of(service.process.pid) - before < 4 * MEBIBYTE


def test_a03_many_large_heads_at_once_are_not_kept(service):
    say(service.url, request())
    before = memory_of(service.process.pid)
    with connections(service.url, 50) as opened:
        for one in opened:
            one.sendall(f"GET /livez HTTP/1.1\r\n{HOST}X: ".encode() + b"x" * 30_000)
        say(service.url, request())
        grown = memory_of(service.process.pid) - before
    assert grown < 50 * 128 * 1024


def test_a04_a_hundred_fields_are_refused(service):
    assert_problem(say(service.url, request(*[f"X-{n}: x" for n in range(100)])), 431, "headers_too_large")
    assert say(service.url, request(*[f"X-{n}: x" for n in range(62)])).statuses == [200]


def test_a05_a_host_is_needed(service):
    target = "GET /api/v1/me HTTP/1.1\r\n"

    assert_problem(say(service.url, f"{target}Connection: close\r\n\r\n"), 400, "host_not_served")
    assert_problem(say(service.url, "GET /api/v1/me HTTP/1.0\r\n\r\n"), 400, "host_not_served")
    assert say(service.url, f"{target}{HOST}Connection: close\r\n\r\n").statuses == [401]


def test_a06_a_length_and_chunks_are_never_two_requests(service):
    hidden = request(target="/api/v1/me")
    for lines in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Transfer-Encoding: xchunked"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: identity, chunked", "Content-Length: 0"),
    ):
        heard = say(service.url, post(*lines), "0\r\n\r\n", hidden, patience=3)
        assert len(heard.statuses) == 1, lines
        assert heard.statuses[0] >= 400
        assert heard.closed


@pytest.mark.parametrize("second", ["4", "2", "+2", "0x2", "2, 2", "-1", ""])
def test_a07_two_lengths_are_refused(service, second):
    heard = say(service.url, post("Content-Length: 2", f"Content-Length: {second}"), "{}{}")

    assert_problem(heard, 400, "malformed_request")
    assert heard.closed


def test_a08_a_head_is_waited_for_eight_seconds_and_harms_nobody_meanwhile(service):
    waits = []
    with connections(service.url, 200) as halves, connections(service.url, 3) as others:
        began = time.monotonic()
        for number, one in enumerate(halves):
            one.sendall(f"GET /livez HTTP/1.1\r\n{HOST}X-Half: "[: 5 + number].encode())
        _silent, endless, blank = others
        endless.sendall(b"GET /livez HTTP/1.1\r\nX: ")
        while time.monotonic() < began + 1:
            asked = time.perf_counter()
            assert say(service.url, request()).statuses == [200]
            waits.append(time.perf_counter() - asked)
        while time.monotonic() < began + 8.5:
            with suppress(ConnectionError):
                endless.sendall(b"x")
                blank.sendall(b"\r\n")
            time.sleep(0.5)
        heard = [hear(one, patience=10.5 - (time.monotonic() - began)) for one in (*halves, *others)]
    assert all(one.closed for one in heard)
    assert {tuple(one.statuses) for one in heard[:200]} == {(408,)}
    assert_problem(heard[0], 408, "request_timeout")
    assert statistics.quantiles(waits, n=100)[-1] < 0.1


def test_a11_what_is_no_request_is_malformed(service):
    for line in ("G@T / HTTP/1.1", "GET / HTTP/9.9", "GET", "\x16\x03\x01", "GET / HTTP/1.1\r\nA B: c"):
        assert_problem(say(service.url, f"{line}\r\n{HOST}\r\n"), 400, "malformed_request")


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "OPTIONS", "CONNECT", "M-SEARCH"])
def test_a11_other_methods_are_not_allowed(service, method):
    heard = say(service.url, request(method=method, target="/livez"))

    assert_problem(heard, 405, "method_not_allowed")
    assert heard.headers["allow"] == "GET, HEAD"


def test_a12_head_has_the_headers_and_no_body(service):
    shown, head = (say(service.url, request(method=method, target="/livez")) for method in ("GET", "HEAD"))

    assert head.statuses == shown.statuses == [200]
    assert head.headers["content-length"] == shown.headers["content-length"] == "15"
    assert head.text.endswith(b"\r\n\r\n")


def test_requests_one_behind_the_other_are_answered_in_turn(service):
    again = request(close=False)

    assert say(service.url, again * 3 + request()).statuses == [200] * 4
    assert say(service.url, again + "G@T", patience=3).statuses == [200]
    assert say(service.url, again * 3 + "G@T", patience=3).statuses == [200] * 3


def test_a_body_that_is_none_is_malformed(service):
    heard = say(service.url, post("Transfer-Encoding: chunked"), "zz\r\n", patience=3)

    assert_problem(heard, 400, "malformed_request")
    assert heard.closed


def test_another_protocol_is_not_spoken(service):
    for protocol in ("websocket", "h2c"):
        lines = (
            "Upgrade: " + protocol,
            "Connection: Upgrade, close",
            "Sec-WebSocket-Key: x",
            "Sec-WebSocket-Version: 13",
        )
        assert say(service.url, request(*lines, close=False), patience=3).statuses == [200], protocol


def test_a30_whoever_hangs_up_is_missed_by_nobody(service):
    body = '{"email": "guest-%d@example.com", "password": "seven lanterns on the hill"}'
    for number in range(150):
        whole = post(f"Content-Length: {len(body % number)}") + body % number
        with connect(service.url) as connection:
            connection.sendall(whole[: len(whole) * (number % 4 + 1) // 4].encode())
    assert say(service.url, request(target="/readyz")).statuses == [200]


def test_nothing_of_it_was_a_fault(service):
    assert "Traceback" not in service.log.read_text()
    assert " 500" not in service.log.read_text()
    assert "status=500" not in service.log.read_text()


def test_a29_too_many_connections_are_told_so_and_those_inside_served(tmp_path):
    few_files = ("sh", "-c", 'ulimit -n 328 && exec "$@"', "sh")  # so few connections are many
    with serving(tmp_path, within=few_files) as small, connections(small.url, 240) as opened:
        for one in opened:
            with suppress(ConnectionError):
                one.sendall(request(close=False).encode())
        heard = [hear(one, patience=2, enough=b"}") for one in opened]
        inside = [one for one, said in zip(opened, heard, strict=True) if said.statuses == [200]]
        refused = [said for said in heard if said.statuses == [503]]

        assert len(inside) == 100
        assert len(refused) >= 90
        assert len(inside) + len(refused) + sum(not said.text for said in heard) == 240
        assert_problem(refused[0], 503, "overloaded")
        assert refused[0].headers["retry-after"] == "1"
        for one in inside:
            one.sendall(request(close=False).encode())
            assert hear(one, patience=5, enough=b"}").statuses == [200]
        inside[0].close()
        time.sleep(0.2)
        for one in opened[100:]:
            one.close()
        time.sleep(0.2)
        assert say(small.url, request()).statuses == [200]


@pytest.mark.parametrize("target", ["//livez", "/%2e%2e/livez", "/x/../livez", "/livez;x", "livez", "*"])
def test_a10_a_target_is_taken_to_the_letter(service, target):
    heard = say(service.url, request(target=target))

    assert heard.statuses in ([404], [400]), heard.text
    assert heard.problem.keys() == KEYS


@pytest.mark.parametrize(
    ("method", "target", "version"),
    [
        ("GET", "/livez", "1.1"),
        ("HEAD", "/livez", "1.1"),
        ("GET", "/livez", "1.0"),
        ("OPTIONS", "/livez", "1.1"),
    ],
)
def test_a_small_response_arrives_in_one_piece(service, method, target, version):
    with connect(service.url) as connection:
        connection.sendall(f"{method} {target} HTTP/{version}\r\n{HOST}\r\n".encode())
        first = connection.recv(65536)

    head, _, body = first.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    assert len(body) == (0 if method == "HEAD" else length)
