"""The tests reach this machine and nothing else."""

import asyncio
import socket

import pytest

FOREIGN = "192.0.2.1"  # RFC 5737: no host has it


def connect():
    with socket.socket() as client:
        client.settimeout(0.1)
        client.connect((FOREIGN, 80))


def test_a_connection_to_another_host_is_refused():
    with pytest.raises(RuntimeError, match="loopback"):
        connect()


async def test_a_connection_from_another_thread_is_refused():
    with pytest.raises(RuntimeError, match="loopback"):
        await asyncio.to_thread(connect)


def test_a_datagram_to_another_host_is_refused():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sender,
        pytest.raises(RuntimeError, match="loopback"),
    ):
        sender.sendto(b"x", (FOREIGN, 9))


def test_a_connection_to_this_machine_is_let_through():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()[:2]) as client,
    ):
        assert client.getpeername() == listener.getsockname()
