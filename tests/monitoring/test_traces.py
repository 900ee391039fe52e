"""The spans that a collector receives: what they contain, and that they contain no personal data."""

import socket
import subprocess
import sys

import pytest
from pydantic import SecretStr

from asgi import client_of, run_due_jobs, running, settings_for
from goodword.app import create_app
from monitoring.collector import collecting
from people import PASSWORD, register, sign_in
from providers.fake_providers import KEY, serving as providers_serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
CANARY = "canary7f3a"
ADDRESS = "192.0.2.77"


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def provider():
    with providers_serving() as services:
        yield services


async def serve_and_stop(database_url, folder, do, *, peer="127.0.0.1", **settings):
    """Serve a node that exports traces, until `do` has called it and all spans were sent."""
    app = create_app(settings_for(database_url, data_dir=folder, **settings))
    async with running(app), client_of(app, peer=peer) as client:
        return await do(app, client)


async def test_a_request_its_parts_and_its_jobs_are_one_trace(
    app, database_url, valkey_url, tmp_path, collector, provider
):
    async def do(node, client):
        headers = {"traceparent": TRACEPARENT}
        assert (await client.get("/livez", headers=headers)).status_code == 200
        body = {"email": "alice@example.com", "password": PASSWORD}
        assert (await client.post("/api/v1/users", json=body, headers=headers)).status_code == 201
        assert (await client.get("/api/v1/referral-codes/7KQ2M9XWPA", headers=headers)).status_code == 404
        await run_due_jobs(node)

    hunter = {"hunter_url": provider.url, "hunter_api_key": SecretStr(KEY), "email_check": "blocking"}
    await serve_and_stop(
        database_url, tmp_path, do, otlp_endpoint=collector.url, redis_url=SecretStr(valkey_url), **hunter
    )

    request = collector.named("POST /api/v1/users")
    assert (request.trace, request.parent) == (TRACE, "00f067aa0ba902b7")
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/v1/users",
        "http.response.status_code": 201,
    }
    asked = next(span for span in collector.spans if "url.full" in span.attributes)
    assert asked.attributes["url.full"] == f"{provider.url}/v2/email-verifier"
    assert asked.attributes["http.response.status_code"] == 200
    inserted = next(span for span in collector.spans if "INSERT INTO jobs" in str(span.attributes.values()))
    job = collector.named("job verify_email")
    assert {asked.parent, inserted.parent, job.parent} == {request.id}
    assert any(span.parent == job.id and "db.query.text" in span.attributes for span in collector.spans)
    assert any(span.attributes.get("db.system.name") == "redis" for span in collector.spans)
    assert {span.trace for span in collector.spans} >= {TRACE}
    assert not any("/livez" in span.name for span in collector.spans)


async def test_spans_have_no_personal_data(app, database_url, valkey_url, tmp_path, collector):
    """Put canaries in every place that a client fills, and let requests succeed, fail and be refused."""
    name, email = f"{CANARY}-name", f"{CANARY}@example.com"
    found = []

    async def do(node, client):
        client.headers["user-agent"] = f"{CANARY}-agent"
        client.headers["traceparent"] = TRACEPARENT
        client.headers["tracestate"] = f"{CANARY}=state"
        client.headers["baggage"] = f"user={CANARY}"
        for _ in range(2):  # the second is refused
            await register(client, CANARY, first_name=name, password=f"{CANARY} {PASSWORD}")
        tokens = (await sign_in(client, email, f"{CANARY} {PASSWORD}")).json()
        await sign_in(client, email, f"{CANARY}-wrong")
        client.headers["authorization"] = f"Bearer {tokens['access_token']}"
        code = (await client.post("/api/v1/me/referral-codes", json={})).json()["code"]
        found.extend([code, tokens["access_token"], tokens["refresh_token"]])
        for path in (
            f"/r/{code}",
            f"/api/v1/referral-codes/{code}",
            f"/api/v1/referral-codes/by-email?email={email}",
            f"/api/v1/referral-codes/{CANARY}",
            f"/{CANARY}?{CANARY}={CANARY}",
            f"/verify-email?token={CANARY}",
            "/api/v1/me",
        ):
            await client.get(path)
        await client.get("/api/v1/me", headers={"host": f"{CANARY}.example"})
        await client.request(CANARY.upper(), "/api/v1/me")
        await client.post("/api/v1/users", content=f'{{"email": "{CANARY}'.encode())
        await run_due_jobs(node)

    options = {"otlp_endpoint": collector.url, "redis_url": SecretStr(valkey_url)}
    await serve_and_stop(database_url, tmp_path, do, peer=ADDRESS, **options)

    sent = collector.received.lower()
    assert len(collector.spans) > 30
    assert collector.named("GET /api/v1/referral-codes/{code}")
    assert CANARY.encode() not in sent
    assert ADDRESS.encode() not in sent
    for value in found:
        assert value.lower().encode() not in sent


PROGRAM = """
import sys
from pydantic import SecretStr
from goodword.app import create_app
from goodword.config.settings import Settings

create_app(Settings(secret_key=SecretStr("x" * 40), otlp_endpoint=sys.argv[1] or None))
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "requests"))))
"""


def imported(endpoint):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, endpoint], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_without_an_endpoint_nothing_is_imported():
    assert imported("") == "[]"
    assert "opentelemetry.sdk.trace" in imported("http://127.0.0.1:4318")


@pytest.mark.parametrize("listens", [False, True])
async def test_a_collector_that_does_not_answer_does_not_matter(app, database_url, tmp_path, listens):
    async def do(_node, client):
        return await register(client, "alice")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if listens else 1
        answer = await serve_and_stop(database_url, tmp_path, do, otlp_endpoint=f"http://127.0.0.1:{port}")
    assert answer.status_code == 201
