"""The check after the sign-up: by a job, only to know. Whatever Hunter does, people come in (B27)."""

import gzip
import json
from typing import Any

import pytest

from people import join, register
from providers.conftest import work
from providers.fake_providers import CLEARBIT_KEY, KEY, endless, resetting, status, text
from third_party import Browser

pytestmark = pytest.mark.one_database

VERIFIER = "/v2/email-verifier"
FACTS = "SELECT status, provider FROM email_checks"
OPEN_JOBS = "SELECT count(*) FROM jobs WHERE kind = 'check_email' AND finished_at IS NULL"


async def verdict_for(admin, person):
    answer = await admin.get(f"/api/v1/admin/users/{person.id}")
    return answer.json()["email_check"]


async def test_the_verdict_is_stored_and_shown_to_administrators(node, services, clock, rita, rows):
    app, api = await node()
    services.verdict = "invalid"
    alice = await join(api, "alice")
    assert services.asked == []
    assert await verdict_for(rita, alice) == "unknown"

    await work(app, clock)

    assert [email for _, _, email in services.asked] == ["alice@example.com"]
    assert await rows(FACTS) == [("invalid", "hunter")]
    assert await verdict_for(rita, alice) == "undeliverable"
    me = (await alice.get("/api/v1/me")).json()
    assert not me["email_verified"], "it confirms nobody, and refuses nobody"
    assert me == alice.account


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("valid", "deliverable"),
        ("invalid", "undeliverable"),
        ("webmail", "delivery uncertain"),
        ("unknown", "delivery unknown"),
    ],
)
async def test_the_admin_page_of_a_user_shows_the_verdict(node, services, clock, rita, verdict, said):
    app, api = await node()
    services.verdict = verdict
    alice = await join(api, "alice")
    await work(app, clock)
    office = Browser(api)
    await office.sign_in(rita)

    page = (await office.get(f"/admin/users/{alice.id}")).text

    assert f"not confirmed yet, {said}</span>" in page


async def test_no_request_is_made_with_the_check_off(node, services, clock, rows):
    chosen: dict[str, dict[str, Any]] = {"alice": {"email_check": "off"}, "bob": {"hunter_api_key": None}}
    for name, settings in chosen.items():
        app, api = await node(**settings)
        await register(api, name)
        await work(app, clock)
    assert services.asked == []
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'check_email'") == [(0,)]


async def test_disposable_domains_need_no_request(node, services, clock, rita):
    app, api = await node()
    alice = await join(api, "alice", email="alice@mailinator.com")
    await work(app, clock)

    assert services.asked == []
    assert await verdict_for(rita, alice) == "risky"


async def test_a_pending_answer_is_requested_again(node, services, clock, rows):
    app, api = await node()
    for code in (202, 222, 202):
        services.answers[VERIFIER] = status(code)
        await register(api, "alice")
        await work(app, clock, minutes=2)
        assert await rows(FACTS) == [(None, "hunter")]
    services.answers.clear()
    await work(app, clock)

    assert await rows(FACTS) == [("valid", "hunter")]
    assert services.count() == 4
    assert await rows(OPEN_JOBS) == [(0,)]


@pytest.mark.parametrize("code", [202, 222])
async def test_requests_end_after_the_maximum(node, services, clock, rows, code):
    app, api = await node()
    services.answers[VERIFIER] = status(code)
    await register(api, "alice")
    await work(app, clock, rounds=15, hours=2)

    assert await rows(FACTS) == [("unknown", "hunter")]
    assert services.count() == 10
    assert await rows(OPEN_JOBS) == [(0,)]


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_a_rejected_request_is_not_repeated(node, services, clock, rows, code):
    app, api = await node()
    services.answers[VERIFIER] = status(code)
    await register(api, "alice")
    await work(app, clock, rounds=3, hours=2)

    assert await rows(FACTS) == [("unknown", "hunter")]
    assert services.count() == 1


async def test_a_restricted_address_is_never_requested_again(node, services, clock, rows):
    app, api = await node(enrichment="hunter", email_check="blocking")
    services.answers[VERIFIER] = status(451)
    assert (await register(api, "alice")).status_code == 201
    await work(app, clock, rounds=3, days=100)

    assert services.count() == 1
    assert services.count("/v2/combined/find") == 0, "nor is anybody asked who they are"
    assert await rows(FACTS) == [("restricted", "hunter")]


GZIP: dict[str, Any] = {"Content-Encoding": "gzip"}
ODD = {
    "500": status(500),
    "503": status(503),
    "401": status(401),
    "403": status(403),
    "429": status(429),
    "204": text("", 204),
    "redirect": text("{}", 302, Location="http://127.0.0.1:9/"),
    "page": text("<html>valid</html>"),
    "nothing": text(""),
    "list": text("[]"),
    "number": text("5"),
    "no data": text('{"data": null}'),
    "data of another kind": text('{"data": [{"status": "valid"}]}'),
    "status of another kind": text('{"data": {"status": ["valid"]}}'),
    "deep": text('{"a":' * 40_000),
    "bytes": text(b"\xff\xfe\x00"),
    "10 MB": endless(10_000_000),
    "bomb": text(gzip.compress(b" " * 50_000_000, 1), **GZIP),
}


@pytest.mark.parametrize("name", ODD)
async def test_no_answer_prevents_a_sign_up(node, services, clock, rows, rita, name, capfd):
    """While it lasts the verdict is unknown; when it is over, the address is checked."""
    app, api = await node(email_check="blocking", enrichment="hunter")
    services.answers = dict.fromkeys((VERIFIER, "/v2/combined/find"), ODD[name])
    alice = await join(api, "alice")
    await work(app, clock)

    assert await rows(FACTS) == [(None, "hunter")]
    assert await verdict_for(rita, alice) == "unknown"
    answer = await alice.get("/api/v1/email-checks", params={"email": "zoe@example.com"})
    assert (answer.status_code, answer.json()["verdict"]) == (200, "unknown")

    services.answers.clear()
    await work(app, clock, rounds=4, hours=2)
    assert ("valid", "hunter") in await rows(FACTS)
    logged = "".join(capfd.readouterr())
    assert KEY not in logged
    assert CLEARBIT_KEY not in logged
    assert "alice@example" not in logged


async def test_a_redirect_is_not_followed(node, services, clock):
    app, api = await node()
    elsewhere = f"{services.url}/v2/combined/find?email=redirected"
    services.answers[VERIFIER] = text(json.dumps({"data": {"status": "valid"}}), 302, Location=elsewhere)
    await register(api, "alice")
    await work(app, clock)

    assert services.count("/v2/combined/find") == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
async def test_out_of_reach(node, clock, rows, url):
    app, api = await node(hunter_url=url, email_check="blocking", enrichment="hunter")
    assert (await register(api, "alice")).status_code == 201
    await work(app, clock)

    assert await rows(FACTS) == [(None, "hunter")]


async def test_a_reset_connection(node, clock, rows):
    with resetting() as url:
        app, api = await node(hunter_url=url, email_check="blocking")
        assert (await register(api, "alice")).status_code == 201
        await work(app, clock)

    assert await rows(FACTS) == [(None, "hunter")]


async def test_proxies_of_the_environment_are_not_used(node, services, clock, rows, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    app, api = await node()
    await register(api, "alice")
    await work(app, clock)

    assert await rows(FACTS) == [("valid", "hunter")]
