"""How `goodword serve` stops, and how several processes of it are supervised."""

import errno
import http.client
import json
import os
import select
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from goodword.web.server import bind, drop_new_connections
from serving import children, serving, wait_until

PROCESSES = pytest.mark.parametrize("workers", ["1", "2"])


def connect(served):
    address = urlsplit(served.url)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=30)


def get(connection, path="/livez"):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("connection"), answer.read()


def get_anew(served, path="/livez"):
    with closing(connect(served)) as connection:
        return get(connection, path)


def ask_until_refused(served, outcomes):
    while True:
        try:
            connection = connect(served)
            connection.connect()
        except ConnectionRefusedError:
            return
        try:
            outcomes.append(get(connection)[0])
        except (OSError, http.client.HTTPException) as error:
            outcomes.append(repr(error))
        connection.close()


@PROCESSES
def test_no_request_is_lost_by_a_stop(tmp_path, workers):
    outcomes = []
    with serving(tmp_path, "--workers", workers) as served:
        threads = [threading.Thread(target=ask_until_refused, args=(served, outcomes)) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(outcomes) > 50)
        served.stop()
        for thread in threads:
            thread.join(30)

    assert set(outcomes) == {200}


@PROCESSES
def test_a_process_drains_before_it_stops(tmp_path, workers):
    with serving(tmp_path, "--workers", workers, DRAIN_SECONDS="10") as served:
        kept = [connect(served) for _ in range(4)]
        assert [get(connection)[:2] for connection in kept] == [(200, None)] * 4
        served.process.terminate()
        wait_until(lambda: get_anew(served, "/readyz")[0] == 503)
        wait_until(lambda: get_anew(served, "/livez")[:2] == (200, "close"))
        status, _, body = get_anew(served, "/readyz")
        for connection in kept:  # each process of the service learns of the signal at its own time
            wait_until(lambda kept=connection: get(kept)[:2] == (200, "close"))
            connection.close()
        served.stop()  # a second signal ends the drain

    assert (status, json.loads(body)["code"]) == (503, "stopping")


def all_shut_down(log):
    return 0 < log.count("Started server process") == log.count("Shutting down")


@PROCESSES
def test_requests_that_have_begun_are_answered(tmp_path, workers):
    body = json.dumps({"email": "alice@example.com", "password": "a password that is long"}).encode()
    with serving(tmp_path, "--workers", workers) as served:
        begun, new = connect(served), connect(served)
        begun.putrequest("POST", "/api/v1/users")
        begun.putheader("Content-Type", "application/json")
        begun.putheader("Content-Length", str(len(body)))
        begun.endheaders(body[:10])
        new.connect()
        assert get_anew(served)[0] == 200
        served.process.terminate()
        wait_until(lambda: all_shut_down(served.log.read_text()))
        first = get(new)
        begun.send(body[10:])
        answer = begun.getresponse()
        assert served.process.wait(timeout=30) == -signal.SIGTERM
        begun.close()
        new.close()

    assert first[:2] == (200, "close")
    assert (answer.status, answer.getheader("connection")) == (201, "close")


def test_a_socket_that_drops_new_connections_keeps_those_it_has():
    (listener,) = bind("127.0.0.1", 0)
    listener.listen()
    early = socket.create_connection(listener.getsockname())
    drop_new_connections(listener)
    late = socket.socket()
    late.setblocking(False)
    late.connect_ex(listener.getsockname())
    accepted, _ = listener.accept()
    early.send(b"request")
    heard = accepted.recv(100)
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()
    select.select([], [late], [], 30)
    refusal = late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    for each in (early, accepted, late):
        each.close()

    assert heard == b"request"
    assert refusal == errno.ECONNREFUSED


def test_a_process_that_is_killed_is_replaced(tmp_path):
    with serving(tmp_path, "--workers", "2") as served:
        wait_until(lambda: len(children(served.process)) == 2)
        before = children(served.process)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(children(served.process) - before) == 1)
        wait_until(lambda: "a process ended and is replaced" in served.log.read_text())
        assert all(get_anew(served, "/readyz")[0] == 200 for _ in range(20))
        served.stop()


def test_processes_end_with_their_supervisor(tmp_path):
    with serving(tmp_path, "--workers", "2") as served:
        orphans = children(served.process)
        served.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))


def test_a_hangup_replaces_all_processes_with_new_settings(tmp_path):
    outcomes, done = [], threading.Event()

    def ask():
        while not done.wait(0.02):
            outcomes.append(get_anew(served)[0])

    with serving(tmp_path, "--workers", "2") as served:
        before = children(served.process)
        assert get_anew(served, "/docs")[0] == 200
        (tmp_path / ".env").write_text("GOODWORD_DOCS=off\n")
        thread = threading.Thread(target=ask)
        thread.start()
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & children(served.process))
        done.set()
        thread.join(30)
        status, after = get_anew(served, "/docs")[0], children(served.process)
        served.stop()

    assert (status, len(after)) == (404, 2)
    assert set(outcomes) == {200}


def test_hangups_in_a_row_with_wrong_settings_change_nothing(tmp_path):
    with serving(tmp_path, "--workers", "2") as served:
        (tmp_path / ".env").write_text("GOODWORD_NONSENSE=1\n")
        for _ in range(3):
            served.process.send_signal(signal.SIGHUP)
            time.sleep(0.1)  # while the settings are checked
        wait_until(lambda: "the settings are wrong" in served.log.read_text())
        status = get_anew(served)[0]
        served.stop()

    assert status == 200
