"""The client of webhooks: which connections it uses again, and what it makes of unusual answers."""

import asyncio

import pytest
import uvloop

from goodword.outbound import tls
from goodword.outbound.guarded_client import GuardedClient, Posted
from mail_server import self_made_certificate
from webhooks.receivers import CLOSE, HANG, receiving, resolve_here

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def client():
    made = GuardedClient(lambda _: True, resolve=resolve_here)
    yield made
    await made.close()


async def post(client, receiver, *, host="receiver.example", budget=5):
    return await client.post(
        f"{receiver.scheme}://{host}:{receiver.port}/x?y=z", b"{}", {"a": "b"}, budget=budget
    )


async def test_a_connection_is_used_for_the_next_request(client):
    async with receiving() as receiver:
        for _ in range(3):
            assert await post(client, receiver) == Posted(200)
        assert receiver.connections == 1
        await asyncio.gather(*(post(client, receiver) for _ in range(5)))
        assert (receiver.connections, len(receiver.got)) == (5, 8)
    assert {one.path for one in receiver.got} == {"/x?y=z"}
    assert receiver.got[0].headers["host"] == f"receiver.example:{receiver.port}"


async def test_a_connection_that_was_closed_or_failed_is_not_used_again(client):
    async with receiving(answers=[200, 200, CLOSE, 200, HANG, 200]) as receiver:
        await post(client, receiver)
        await receiver.close()
        await asyncio.sleep(0)
        assert await post(client, receiver) == Posted(200)
        assert await post(client, receiver) == Posted(200), "at once, over a new one"
        assert (await post(client, receiver, budget=0.2)).error == "timeout"
        assert await post(client, receiver) == Posted(200)
        assert receiver.connections == 4


async def test_bytes_after_an_answer_are_not_the_answer_to_the_next_request(client):
    second = OK.replace(b"200", b"500")
    async with receiving(answers=[OK + second, 204], closes_after_bytes=False) as receiver:
        assert await post(client, receiver) == Posted(200)
        assert await post(client, receiver) == Posted(204)


async def test_a_connection_is_closed_when_it_was_idle(client, monkeypatch):
    monkeypatch.setattr("goodword.outbound.guarded_client.IDLE_SECONDS", 0.0)
    async with receiving() as receiver, asyncio.timeout(5):
        await post(client, receiver)
        await asyncio.gather(*receiver.open)
        await post(client, receiver)
        assert receiver.connections == 2


@pytest.mark.parametrize(
    ("answer", "posted"),
    [
        (OK.replace(b"1.1", b"1.0"), Posted(200)),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Posted(200)),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, Posted(200)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Posted(200)),
        (b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", Posted(429, "7")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Posted(None, error="protocol_error")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
            Posted(None, error="protocol_error"),
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Posted(None, error="protocol_error")),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000, Posted(None, error="protocol_error")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, Posted(None, error="protocol_error")),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Posted(None, error="protocol_error")),
        (b"\x00" * 100_000, Posted(None, error="protocol_error")),
    ],
)
async def test_unusual_answers(client, answer, posted):
    async with receiving(answers=[answer]) as receiver:
        assert await post(client, receiver) == posted
        assert await post(client, receiver) == Posted(200), "on another connection"
        assert receiver.connections == 2


async def test_a_certificate_counts_for_its_name_only(client, tmp_path, monkeypatch):
    context, public = self_made_certificate(tmp_path)
    async with receiving(tls=context) as receiver:
        assert (await post(client, receiver, host="127.0.0.1")).error == "tls_failed", (
            "of an unknown authority"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
        tls.tls_context.cache_clear()
        assert await post(client, receiver, host="127.0.0.1") == Posted(200)
        assert (await post(client, receiver)).error == "tls_failed", "of another name"
    tls.tls_context.cache_clear()


def test_it_works_on_uvloop_as_the_service_runs(tmp_path, monkeypatch):
    context, public = self_made_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    tls.tls_context.cache_clear()

    async def send():
        client = GuardedClient(lambda _: True, resolve=resolve_here)
        async with receiving() as receiver, receiving(tls=context) as secure:
            for _ in range(2):
                assert await post(client, receiver) == Posted(200)
                assert await post(client, secure, host="127.0.0.1") == Posted(200)
            assert (receiver.connections, secure.connections) == (1, 1)
            receiver.usual = CLOSE
            assert (await post(client, receiver)).error == "protocol_error"
            assert (await post(client, secure)).error == "tls_failed"
        assert (await post(client, receiver)).error == "connection_failed"
        await client.close()

    uvloop.run(send())
    tls.tls_context.cache_clear()
