"""Keys of providers and checked addresses are in no log, no response and no URL."""

import json
import re
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from providers.fake_providers import KEY, status
from serving import ROOT, free_port, goodword, serving

pytestmark = pytest.mark.one_database

BODY = {"email": "alice@example.com", "password": "seven lanterns on the hill"}


def post(url, body):
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.read().decode()
    except HTTPError as error:
        return error.read().decode()


def until(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError


def prove(served, folder, *, messages):
    """Follow the links of all messages, once there are so many."""
    until(lambda: len(list((folder / "data" / "emails").glob("verify*.eml"))) == messages)
    for message in (folder / "data" / "emails").glob("verify*.eml"):
        token = re.search(r"#token=(gwv_[\w-]+)", message.read_text())[1]
        post(f"{served.url}/api/v1/email-verifications/confirm", {"token": token})


def test_keys_and_addresses_are_not_logged(tmp_path, services):
    """Whatever happens: an answer, a refusal of the key, an outage."""
    settings = {
        "HUNTER_URL": services.url,
        "HUNTER_API_KEY": KEY,
        "EMAIL_CHECK": "blocking",
        "ENRICHMENT": "hunter",
    }
    with serving(tmp_path, **settings) as served:
        answers = [post(f"{served.url}/api/v1/users", BODY)]
        prove(served, tmp_path, messages=1)
        services.verdict = "invalid"
        answers.append(post(f"{served.url}/api/v1/users", BODY | {"email": "bob@example.com"}))
        until(lambda: services.count("/v2/combined/find") == 1)
        services.answers = dict.fromkeys(("/v2/email-verifier", "/v2/combined/find"), status(401))
        answers.append(post(f"{served.url}/api/v1/users", BODY | {"email": "carol@example.com"}))
        prove(served, tmp_path, messages=2)
        until(lambda: services.count("/v2/combined/find") == 2)
        time.sleep(0.3)
    shown = goodword(tmp_path, "config", **settings)
    log = served.log.read_text()

    assert json.loads(answers[1])["code"] == "email_undeliverable"
    assert "key refused" in log
    for text in (log, shown.stdout, shown.stderr, *answers, *services.urls):
        assert KEY not in text
    for name in ("alice", "bob", "carol"):
        assert f"{name}@" not in log
        assert f"{name}%40" not in log


def test_the_stand_in_for_hunter_runs(tmp_path):
    port = free_port()
    process = subprocess.Popen([sys.executable, ROOT / "examples" / "hunter_stand_in.py", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        settings = {"HUNTER_URL": url, "HUNTER_API_KEY": "anything", "EMAIL_CHECK": "blocking"}
        with serving(tmp_path, **settings) as served:
            refused = post(f"{served.url}/api/v1/users", BODY | {"email": "alice+invalid@example.com"})
            made = post(f"{served.url}/api/v1/users", BODY | {"email": "alice+accept_all@example.com"})
    finally:
        process.terminate()
        process.wait()
    assert json.loads(refused)["code"] == "email_undeliverable"
    assert "id" in json.loads(made)
