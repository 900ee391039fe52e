"""Trailers are never header fields, and they count against the limit of a head (A32, A33)."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from people import PASSWORD
from raw_http import HOST, connect, hear, memory_of, request, say
from serving import UNFORKED, serving
from sweeps import Sweep

MEBIBYTE = 1024 * 1024
FORGED = "198.51.100.7"
ALICE = {"email": "alice@example.com", "password": PASSWORD}
CHUNKED = ("Content-Type: application/json", "Transfer-Encoding: chunked")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service that trusts this machine as a proxy."""
    with serving(tmp_path_factory.mktemp("service"), within=UNFORKED, TRUSTED_PROXIES="127.0.0.1") as found:
        body = json.dumps({**ALICE, "first_name": "Alice"})
        assert say(found.url, with_body("/api/v1/users", body)).statuses == [201]
        yield found


def with_body(target, body, *trailers, fields=CHUNKED, method="POST"):
    """A request in chunks, with these trailers."""
    rest = "".join(f"{line}\r\n" for line in trailers)
    chunk = f"{len(body):x}\r\n{body}\r\n" if body else ""
    return f"{request(*fields, method=method, target=target)}{chunk}0\r\n{rest}\r\n"


def sign_in(url, *trailers, pieces=1, fields=CHUNKED):
    """Return the access token of a sign-in whose request arrives in so many packets."""
    whole = with_body("/api/v1/sessions", json.dumps(ALICE), *trailers, fields=fields)
    size = -(-len(whole) // pieces)
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    heard = say(url, *parts, pause=0.05 if pieces > 1 else 0)
    assert heard.statuses == [201], heard.text
    return json.loads(heard.text.partition(b"\r\n\r\n")[2])["access_token"]


def place_of(url, token):
    """Return the network that the current session is shown with."""
    heard = say(url, request(f"Authorization: Bearer {token}", target="/api/v1/me/sessions"))
    sessions = json.loads(heard.text.partition(b"\r\n\r\n")[2])["items"]
    return next(one for one in sessions if one["current"])["place"]


@pytest.mark.parametrize("pieces", [1, 2, 9])
def test_a32_a_trailer_does_not_choose_the_client_address(service, pieces):
    token = sign_in(service.url, f"X-Forwarded-For: {FORGED}", pieces=pieces)

    assert place_of(service.url, token) == "127.0.0.0/24"


def test_a32_a_trailer_does_not_extend_the_list_of_a_proxy(service):
    fields = (*CHUNKED, "X-Forwarded-For: 203.0.113.9")

    token = sign_in(service.url, f"X-Forwarded-For: {FORGED}", fields=fields)

    assert place_of(service.url, token) == "203.0.113.0/24"


def test_a32_a_trailer_is_no_token(service):
    token = sign_in(service.url)
    trailer = f"Authorization: Bearer {token}"

    heard = say(service.url, with_body("/api/v1/me", "", trailer, method="GET"))
    assert heard.statuses[0] == 401, heard.text


def test_a32_a_trailer_is_no_host(service):
    whole = with_body("/api/v1/me", "", "Host: 127.0.0.1", method="GET").replace(HOST, "", 1)

    assert say(service.url, whole).problem["code"] == "host_not_served"


def test_a32_a_trailer_is_no_content_type(service):
    whole = with_body("/api/v1/sessions", json.dumps(ALICE), CHUNKED[0], fields=CHUNKED[1:])

    assert say(service.url, whole).statuses == [415]


def test_a32_a_trailer_does_not_count_as_a_second_field(service):
    trailers = ("Host: evil.example", "Content-Type: text/plain", "Expect: 100-continue")

    heard = say(service.url, with_body("/api/v1/sessions", json.dumps(ALICE), *trailers))

    assert heard.statuses == [201], heard.text
    assert b"100 Continue" not in heard.text


def test_a32_a_trailer_does_not_reach_the_next_request(service):
    first = with_body("/livez", "", "Host: evil.example", method="GET").replace("Connection: close\r\n", "")

    assert say(service.url, first + request(target="/api/v1/me")).statuses == [200, 401]


ENDLESS = {
    "trailers": (b"0\r\n", b"a: b\r\n" * 1000),
    "one trailer": (b"0\r\nA: ", b"b" * 6000),
    "a trailer's name": (b"0\r\n", b"a" * 6000),
    "a chunk extension": (b"1;", b"a" * 6000),
    "a quoted chunk extension": (b'1;a="', b"a" * 6000),
    "chunk extensions": (b"", b"1;a=b;c=d;e=f;g=h;i=j;k=l\r\n \r\n" * 200),
    "zeros of a chunk size": (b"", b"0" * 6000),
}


def pour_around_chunks(url, target, kind):
    start, piece = ENDLESS[kind]
    sent = 0
    with connect(url) as connection:
        connection.sendall(request(*CHUNKED, method="POST", target=target, close=False).encode() + start)
        try:
            while sent < 40 * MEBIBYTE:
                connection.sendall(piece)
                sent += len(piece)
        except ConnectionError:
            pass
        return sent, hear(connection, patience=5)


def test_a33_what_is_around_chunks_has_an_end(service):
    """Its size is limited for a request that waits for the body, and for one that is answered already."""
    before = memory_of(service.process.pid)
    cases = list(product([service.url], ["/api/v1/users", "/livez"], ENDLESS))
    with ThreadPoolExecutor(len(cases)) as threads:  # each waits for the service to close its connection
        found = list(threads.map(pour_around_chunks, *zip(*cases, strict=True)))

    with Sweep() as sweep:
        for case, (sent, heard) in zip(cases, found, strict=True):
            with sweep.case(case):
                assert sent < 40 * MEBIBYTE
                assert heard.closed
                assert heard.statuses in ([431], [405]), heard.text
    assert memory_of(service.process.pid) - before < len(cases) * MEBIBYTE


def test_a33_a_whole_request_with_large_trailers_is_refused(service):
    whole = with_body("/api/v1/sessions", json.dumps(ALICE), *[f"X-{n}: {'x' * 900}" for n in range(200)])

    assert say(service.url, whole).problem["code"] == "headers_too_large"


def test_a33_many_short_trailers_are_too_large(service):
    """Their bytes alone are within the limit."""
    whole = with_body("/api/v1/sessions", json.dumps(ALICE), *["a: b"] * 2000)

    assert say(service.url, whole).problem["code"] == "headers_too_large"


def test_a33_small_chunks_are_no_head(service):
    """The largest body may come in chunks of 64 bytes."""
    body = json.dumps({**ALICE, "password": "x" * 65_000})
    chunks = "".join(
        f"{len(body[at : at + 64]):x}\r\n{body[at : at + 64]}\r\n" for at in range(0, len(body), 64)
    )

    heard = say(
        service.url, request(*CHUNKED, method="POST", target="/api/v1/sessions") + chunks + "0\r\n\r\n"
    )

    assert heard.statuses == [422], heard.text[:300]


def test_a33_tiny_chunks_have_an_end(service):
    """Each costs as much time as a large one."""
    chunks = "1\r\n \r\n" * 4_000

    heard = say(service.url, request(*CHUNKED, method="POST", target="/api/v1/users") + chunks + "0\r\n\r\n")

    assert heard.statuses == [431], heard.text[:300]
