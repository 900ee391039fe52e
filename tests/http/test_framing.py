"""Where a request ends: protocols that are not spoken, requests one behind the other, heads of many fields (A34-A37)."""

import json
import select
import socket
import time
from urllib.parse import urlsplit

import pytest

from people import PASSWORD
from raw_http import HOST, connect, connections, hear, memory_of, pour, request, say
from serving import UNFORKED, serving

KIBIBYTE = 1024
H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
JSON = "Content-Type: application/json"
SMUGGLED = "GET /api/v1/smuggled HTTP/1.1\r\n" + HOST + "\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(
        tmp_path_factory.mktemp("service"), within=UNFORKED, LOG_REQUESTS="changes", DOCS="on"
    ) as found:
        say(found.url, request())
        yield found


def sign_in(*fields, body):
    return request(JSON, *fields, method="POST", target="/api/v1/sessions", close=False) + body


@pytest.mark.parametrize("pause", [0, 0.1])
def test_a34_a_body_is_no_request_whatever_protocol_is_asked_for(service, pause):
    length = f"Content-Length: {len(SMUGGLED)}"
    chunks = f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
    for upgrade in (
        H2C,
        ("Connection: upgrade", "Upgrade: websocket"),
        ("Connection: upgrade", "Upgrade: x"),
    ):
        for fields, body in (((length,), SMUGGLED), (("Transfer-Encoding: chunked",), chunks)):
            head = sign_in(*upgrade, *fields, body="")
            heard = say(service.url, head, body, request(), pause=pause, patience=3)
            assert heard.statuses == [400, 200], heard.text
            assert b'"code":"malformed_json"' in heard.text


def test_a34_a_body_is_read_whatever_protocol_is_asked_for(service):
    """Java's HttpClient asks for h2c with its first request, whether that has a body or not."""
    body = json.dumps({"email": "nobody@example.com", "password": PASSWORD})
    first = sign_in(*H2C, f"Content-Length: {len(body)}", body=body)

    for pieces in ([first + request()], [first[:-50], first[-50:], request()]):
        heard = say(service.url, *pieces, pause=0.05, patience=3)
        assert heard.statuses == [401, 200], heard.text


def test_a34_many_upgrades_in_one_packet_are_requests_like_others(service):
    first = request(*H2C, close=False)

    assert say(service.url, first * 3 + request(), patience=3).statuses == [200] * 4


def test_a34_what_follows_connect_is_no_request(service):
    connect_to = f"CONNECT /livez HTTP/1.1\r\n{HOST}\r\n"

    for pieces in ([connect_to + SMUGGLED], [connect_to, SMUGGLED]):
        heard = say(service.url, *pieces, pause=0.05, patience=3)
        assert heard.statuses == [405]
        assert heard.closed


def test_a35_requests_one_behind_the_other_have_an_end(service):
    """Those that were taken are answered; the client repeats the others on another connection (RFC 9112 9.3.2)."""
    again = request(target="/livez", close=False)

    heard = say(service.url, again * 200, patience=3)

    assert heard.closed
    assert set(heard.statuses) == {200}
    assert 5 <= len(heard.statuses) <= 20


def test_a35_requests_one_behind_the_other_are_not_kept(service):
    """While the first one waits for its body, nothing behind it is read; while it is answered, little is."""
    many = (sign_in("Content-Length: 2", body="{}") + "GET / HTTP/1.1\r\n\r\n" * 14_000).encode()
    say(service.url, sign_in("Content-Length: 2", body="{}"))  # what a first answer loads is no growth
    before = memory_of(service.process.pid)
    with connections(service.url, 40) as opened:
        for one in opened:
            one.sendall(many)
        heard = [hear(one, patience=5) for one in opened]
    # Of 252 KiB each: what one read takes, and some of the allocator.
    assert memory_of(service.process.pid) - before < 40 * 192 * KIBIBYTE
    assert all(one.closed for one in heard)
    assert {one.statuses[0] for one in heard} == {422}


def test_a35_what_follows_an_answered_request_in_its_packet_is_limited_as_well(service):
    before = memory_of(service.process.pid)
    head = f"GET /livez HTTP/1.1\r\n{HOST}X: ".encode()
    with connections(service.url, 40) as opened:
        for one in opened:
            one.sendall(request(close=False).encode() + head + b"x" * 200_000)
        say(service.url, request())
        time.sleep(0.3)
        assert memory_of(service.process.pid) - before < 40 * 64 * KIBIBYTE


def test_a35_answers_before_a_malformed_body_are_not_lost(service):
    first = sign_in("Content-Length: 2", body="{}")
    second = sign_in("Transfer-Encoding: chunked", body="zz\r\n")

    assert say(service.url, first + second, patience=3).statuses == [422]
    assert say(service.url, first * 2 + second, patience=3).statuses == [422, 422]


def test_a35_a_malformed_request_after_an_answer_is_refused(service):
    for target in ("http://[", "/\x01", "a:1"):
        with connect(service.url) as connection:
            connection.sendall(request(close=False).encode())
            assert hear(connection, enough=b"}").statuses == [200]
            connection.sendall(request(target=target).encode())
            assert hear(connection, patience=3).statuses == [400], target


def test_a36_a_head_of_many_short_fields_is_not_kept(service):
    before = memory_of(service.process.pid)
    head = f"GET /livez HTTP/1.1\r\n{HOST}".encode() + b"ab: cd\r\n" * 3900
    with connections(service.url, 100) as opened:
        for one in opened:
            one.sendall(head)
        say(service.url, request())
        time.sleep(0.3)
        assert memory_of(service.process.pid) - before < 100 * 64 * KIBIBYTE
        assert {tuple(hear(one, patience=3).statuses) for one in opened} == {(431,)}


def test_a36_a_body_that_nobody_reads_has_a_size(service):
    with connect(service.url) as connection:
        connection.sendall(
            request("Transfer-Encoding: chunked", method="POST", target="/nowhere", close=False).encode()
        )
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        sent = pour(connection, chunk, limit=256 * KIBIBYTE * KIBIBYTE)
    assert sent < 32 * KIBIBYTE * KIBIBYTE


def test_a33_bytes_after_a_refused_request_are_limited_like_a_head(service):
    with connect(service.url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        connection.sendall(b"G@T / HTTP/1.1\r\n\r\n")
        sent = pour(connection, b" " * 8 * KIBIBYTE, limit=64 * KIBIBYTE * KIBIBYTE)
    assert sent < 512 * KIBIBYTE


def test_a37_a_client_that_does_not_read_is_disconnected(service):
    """A close alone would wait for as long as the client likes."""
    place = urlsplit(service.url)
    with socket.socket() as one, socket.socket() as other:
        for client, close in ((one, True), (other, False)):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.connect((place.hostname, place.port))
            client.sendall((request(target="/openapi.json", close=False) * 7).encode())
            client.sendall(request(target="/openapi.json", close=close).encode())
        for client in (one, other):
            ended = select.poll()
            ended.register(client, select.POLLHUP)
            assert ended.poll(20_000)


def test_nothing_of_it_was_a_fault(service):
    log = service.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :][:6000]
