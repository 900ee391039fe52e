"""A database that is to show who it is, and does not, gets neither our name nor our password."""

import ssl
import threading
from contextlib import contextmanager
from socket import create_server

import pytest

from mail_server import self_made_certificate
from serving import goodword

ASKS_FOR_TLS = bytes.fromhex("0000000804d2162f")
"""SSLRequest, the first message of a client (PostgreSQL's protocol, "SSL Session Encryption")."""


@contextmanager
def impostor(tls):
    """Answers as a PostgreSQL with or without TLS does, and keeps what it is then told."""
    told = []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                told.append(connection.recv(1024))
                connection.sendall(b"S" if tls else b"N")
                try:
                    talking = tls.wrap_socket(connection, server_side=True) if tls else connection
                    told.append(talking.recv(1024))
                except (ssl.SSLError, OSError):
                    told.append(b"")

    with create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], told


@pytest.mark.parametrize("with_tls", [False, True], ids=["in the clear", "another certificate"])
def test_whoever_is_not_the_database_is_told_nothing(tmp_path, monkeypatch, with_tls):
    folders = [tmp_path / name for name in ("ours", "theirs")]
    for folder in folders:
        folder.mkdir()
    (_, trusted), (theirs, _) = (self_made_certificate(folder) for folder in folders)

    monkeypatch.setenv("PGSSLROOTCERT", str(trusted))

    with impostor(theirs if with_tls else None) as (port, told):
        done = goodword(
            tmp_path,
            "migrate",
            DATABASE_URL=f"postgresql+asyncpg://goodword:9f8b1c@127.0.0.1:{port}/x?ssl=verify-full",
            SECRET_KEY="a secret that only the tests know, long enough",
        )

    assert done.returncode == 2, done.stderr
    assert told
    assert set(told) == {ASKS_FOR_TLS, b""}
