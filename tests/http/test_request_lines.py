"""The first lines of a request: an absolute target, the version of HTTP, the transfer coding (RFC 9112)."""

import pytest

from raw_http import HOST, connect, request, say
from serving import serving

CHUNKS = "2\r\n{}\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/sign-in",
        "http://evil.example",
        "http://evil.example?x",
        "http://127.0.0.1@evil.example/sign-in",
        "HTTP://evil.example:8000/sign-in",
    ],
)
def test_the_host_of_an_absolute_target_is_checked(service, target):
    heard = say(service.url, request(target=target))

    assert (heard.statuses, heard.problem["code"]) == ([400], "host_not_served")


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_the_host_of_an_absolute_target_replaces_the_header(service, host):
    heard = say(service.url, request(target="http://127.0.0.1/sign-in").replace(HOST, f"Host: {host}\r\n", 1))

    assert heard.statuses == [200]


def test_an_absolute_target_without_a_path_is_the_home_page(service):
    heard = say(service.url, request(target="http://127.0.0.1"))

    assert heard.statuses == [200]
    assert b"<h1>" in heard.text


@pytest.mark.parametrize("version", ["2.0", "0.9", "3.0", "1.2"])
def test_another_version_of_http_is_refused(service, version):
    heard = say(service.url, request().replace("HTTP/1.1", f"HTTP/{version}"), request())

    assert heard.statuses in ([505], [400]), heard.text
    assert heard.problem["code"] in ("http_version_unknown", "malformed_request")


def test_the_text_of_http_2_is_answered_with_505(service):
    assert say(service.url, request().replace("HTTP/1.1", "HTTP/2.0")).statuses == [505]


def test_http_1_0_is_served(service):
    with connect(service.url) as connection:
        connection.sendall(request().replace("HTTP/1.1", "HTTP/1.0").encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "fields",
    [
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: identity, chunked",),
    ],
)
def test_another_transfer_coding_is_refused(service, fields):
    """RFC 9112 §6.1. The rest of the connection is not read as a request."""
    head = request(
        "Content-Type: application/json", *fields, method="POST", target="/api/v1/sessions", close=False
    )
    heard = say(service.url, head + CHUNKS, request())

    assert heard.statuses in ([501], [400]), heard.text
    assert heard.closed


def test_an_unknown_coding_before_chunks_is_not_implemented(service):
    head = request("Transfer-Encoding: gzip, chunked", method="POST", target="/api/v1/sessions", close=False)
    heard = say(service.url, head + CHUNKS)

    assert (heard.statuses, heard.problem["code"]) == ([501], "transfer_coding_unknown")


def test_a_transfer_coding_in_capitals_is_read(service):
    fields = ("Content-Type: application/json", "Transfer-Encoding: Chunked")
    heard = say(service.url, request(*fields, method="POST", target="/api/v1/sessions") + CHUNKS)

    assert heard.statuses == [422]
