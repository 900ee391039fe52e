"""POST /api/v1/users while the service is killed."""

import json
import sqlite3
import time
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from people import PASSWORD
from serving import serving

BODY = json.dumps({"email": "alice@example.com", "password": PASSWORD}).encode()
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "first-of-two"}


def accounts(folder):
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        return database.execute("SELECT count(*) FROM users").fetchone()[0]


@pytest.mark.parametrize("wait", ["for the commit", 0.004])
def test_a_registration_survives_a_kill(tmp_path, wait):
    # B22: a client without a response repeats the request with its key; one account is created.
    with serving(tmp_path) as served:
        client = HTTPConnection(urlsplit(served.url).netloc)
        client.request("POST", "/api/v1/users", BODY, HEADERS)
        deadline = time.monotonic() + 10
        while wait == "for the commit" and not accounts(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        if wait != "for the commit":
            time.sleep(wait)  # at any point of the request
        served.process.kill()
        served.process.wait()
        client.close()
    made = accounts(tmp_path)

    with serving(tmp_path) as served:
        answers = [urlopen(Request(f"{served.url}/api/v1/users", BODY, HEADERS)) for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert bool(answers[0].headers["Idempotency-Replayed"]) == bool(made)
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert len({answer.read() for answer in answers}) == 1
    assert accounts(tmp_path) == 1
