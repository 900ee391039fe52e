"""What `goodword serve` derives from its address, and what it says to a person at a terminal."""

import os
import pty
import select
import socket
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from preloaded import Process
from serving import environment, free_port, goodword, serving, wait_for_port

SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"


@contextmanager
def served(folder, *arguments, terminal=False, **settings):
    """Yield the output of `goodword serve` on its first lines."""
    parent, child = pty.openpty() if terminal else os.pipe()
    with os.fdopen(child, "wb", buffering=0) as out:
        process = Process(
            ["serve", *arguments],
            cwd=folder,
            env=environment(folder, **settings),
            stdout=out,
            stderr=out,
        )
    try:
        yield parent
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(parent)


def read_until(output, text):
    shown = b""
    while text not in shown:
        assert select.select([output], [], [], 30)[0], f"waiting for {text!r} after {shown!r}"
        shown += os.read(output, 4096)
    return shown.decode()


def test_serve_tells_a_person_at_a_terminal_what_to_do_next(tmp_path):
    port = free_port()
    with served(tmp_path, "--port", str(port), terminal=True) as output:
        lines = read_until(output, b"Administrator: ").splitlines()

    assert any(line.endswith(f"http://127.0.0.1:{port}") for line in lines)
    assert any(f"http://127.0.0.1:{port}/docs" in line for line in lines)
    assert any(f"files in {tmp_path}/data/emails" in line for line in lines)
    assert any(f"http://127.0.0.1:{port}/sign-up" in line for line in lines)
    assert any("goodword admin create" in line for line in lines)
    assert len(lines) < 8


@pytest.mark.parametrize(
    "settings", [{}, {"PUBLIC_URL": "https://refer.example.com"}], ids=["derived", "set"]
)
def test_links_begin_with_the_port_unless_a_public_url_is_set(tmp_path, settings):
    port = free_port()
    with served(tmp_path, "--port", str(port), **settings):
        wait_for_port(port)
        with urlopen(f"http://127.0.0.1:{port}/.well-known/openid-configuration") as answer:
            found = answer.read().decode()

    assert settings.get("PUBLIC_URL", f"http://127.0.0.1:{port}") in found


def test_serve_on_postgres_warns_that_the_worker_does_not_know_the_port(tmp_path):
    settings = {"DATABASE_URL": "postgresql+asyncpg://127.0.0.1:9/x", "SECRET_KEY": SECRET}
    port = str(free_port())
    said = []
    for url in ({}, {"PUBLIC_URL": "https://refer.example.com"}):
        with served(tmp_path, "--port", port, **settings, **url) as output:
            said.append(read_until(output, b"waiting for the database"))

    assert "GOODWORD_PUBLIC_URL is not set" in said[0]
    assert f"http://127.0.0.1:{port}" in said[0]
    assert "GOODWORD_PUBLIC_URL" not in said[1]


def test_serve_on_all_ipv6_addresses_takes_ipv4_too(tmp_path):
    port = free_port()
    with served(tmp_path, "--host", "::", "--port", str(port)):
        wait_for_port(port)
        for host in ("127.0.0.1", "[::1]") if socket.has_ipv6 else ("127.0.0.1",):
            with urlopen(f"http://{host}:{port}/livez") as answer:
                assert answer.status == 200


def test_serve_needs_no_standard_streams(tmp_path):
    with serving(tmp_path, within=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")) as service:
        files = {Path(f"/proc/{service.process.pid}/fd/{number}").readlink() for number in range(3)}

    assert files == {Path(os.devnull)}


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_system_that_cannot_fork_is_refused(tmp_path, monkeypatch, command):
    monkeypatch.delattr(os, "fork")  # as on Windows
    done = goodword(tmp_path, command)

    assert done.returncode == 2
    assert "POSIX" in done.stderr
    assert not list(tmp_path.iterdir())


def test_version_shows_the_version(tmp_path):
    done = goodword(tmp_path, "--version")

    assert done.returncode == 0
    assert done.stdout.startswith("goodword 0.")
