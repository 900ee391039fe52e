"""GET /metrics"""

import asyncio

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from asgi import client_of, running, settings_for
from database_away import database, reachable
from goodword.app import create_app
from goodword.monitoring.exposition import FAMILIES
from goodword.web.middleware import METHODS
from people import register

__all__ = ["database"]  # a fixture
TOKEN = "a token for Prometheus"


def samples_in(text):
    """Return the values by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(client, **headers):
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return samples_in(answer.text)


async def growth(client, happen):
    """Return by how much each sample grows while `happen` runs."""
    before = await scrape(client)
    await happen()
    return {key: value - before.get(key, 0) for key, value in (await scrape(client)).items()}


async def test_requests_are_counted_by_route_and_status(app, api):
    async def happen():
        await api.get("/api/v1/referral-codes/7KQ2M9XWPA")
        await api.head("/livez")
        await api.put("/livez")

    counts = await growth(api, happen)
    route = "/api/v1/referral-codes/{code}"
    assert counts["goodword_http_requests_total", route, "404", "GET"] == 1
    assert counts["goodword_http_request_duration_seconds_count", route, "404", "GET"] == 1
    assert counts["goodword_http_request_duration_seconds_bucket", "+Inf", route, "404", "GET"] == 1
    assert counts["goodword_http_requests_total", "/livez", "200", "HEAD"] == 1
    assert counts["goodword_http_requests_total", "/livez", "405", "PUT"] == 1


async def test_no_client_can_add_a_label(app, api):
    for number in range(20):
        await api.get(f"/nowhere/{number}")
        await api.request(f"M{number}", "/livez")
        await api.get(f"/api/v1/referral-codes/{number}")
        await api.get(f"/r/{number}", headers={"Host": "127.0.0.1:8000", f"X-{number}": "x"})
        await api.get("/livez", headers={"Host": f"{number}.example"})
    answer = await api.get("/metrics")
    found = [
        sample.labels
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if "route" in sample.labels
    ]
    routes = {getattr(route, "path_format", "-") for route in app.router.routes}
    assert {label["route"] for label in found} <= {"-", *routes}
    assert {label["method"] for label in found} <= {*METHODS, "other"}
    assert {"-", "/livez", "/r/{code}"} <= {label["route"] for label in found}
    assert {"GET", "other"} <= {label["method"] for label in found}


async def test_an_unknown_format_gets_the_usual_one(api):
    for version in ("a.b.c", "nan", "1.x", "", "99999"):
        answer = await api.get(
            "/metrics", headers={"Accept": f"application/openmetrics-text;version={version}"}
        )
        assert answer.status_code == 200, version
        assert "goodword_build_info" in answer.text


async def test_what_happens_is_counted(app, api, post):
    async def happen():
        await register(api, "alice")
        await post()

    counts = await growth(api, happen)
    assert counts["goodword_sign_ups_total", "password"] == 1
    assert counts["goodword_emails_total", "saved", "verify_email"] == 1
    assert counts["goodword_job_attempts_total", "done", "verify_email"] == 1
    shown = await scrape(api)
    assert shown["goodword_referrals", "confirmed"] == 0
    assert shown["goodword_active_codes",] == 0
    assert shown["goodword_database_up",] == 1
    assert shown["goodword_db_pool_size", "write"] >= 1
    assert shown["goodword_hashing_waiting",] == 0
    assert shown["goodword_processes",] == 1


async def test_waiting_jobs_are_shown_by_kind_and_age(app, api, database_url, clock):
    await register(api, "alice")
    clock.forward(seconds=90)

    async with (
        running(create_app(settings_for(database_url), clock=clock)) as other,
        client_of(other) as node,
    ):
        shown = await scrape(node)
    assert shown["goodword_jobs", "verify_email", "waiting"] == 1
    assert 90 <= shown["goodword_jobs_oldest_due_seconds", "verify_email"] < 150


async def test_every_family_is_exported(app, api):
    await register(api, "alice")
    answer = await api.get("/metrics")
    exported = {family.name for family in text_string_to_metric_families(answer.text)}

    with_labels = {family.name for family in FAMILIES if family.labels}
    assert {family.name for family in FAMILIES} - with_labels - {"goodword_cache_redis_up"} <= exported


async def test_refused_requests_are_counted_by_policy(app, api):
    statuses = [
        (await api.get("/api/v1/referral-codes/by-email?email=a@b.example")).status_code for _ in range(12)
    ]
    assert statuses[-1] == 429

    counts = await scrape(api)
    assert sum(value for key, value in counts.items() if key[0] == "goodword_rate_limited_total") >= 1


async def test_without_a_token_only_this_machine_may_read(app, api):
    assert (await api.get("/metrics")).headers["content-type"].startswith("text/plain")
    for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "Via"):
        answer = await api.get("/metrics", headers={header: "127.0.0.1"})
        assert answer.status_code == 404, header
        assert answer.json()["code"] == "not_found"
    async with client_of(app, peer="192.0.2.1") as other:
        assert (await other.get("/metrics")).status_code == 404
    assert (await api.get("/metrics", headers={"Host": "evil.example"})).status_code == 400


async def test_with_a_token_only_its_bearer_may_read(app, database_url):
    settings = settings_for(database_url, metrics_token=SecretStr(TOKEN))
    async with running(create_app(settings)) as other, client_of(other, peer="192.0.2.1") as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="goodword"')
        for wrong in ("Bearer other", "Basic " + TOKEN, "Bearer", ""):
            answer = await client.get("/metrics", headers={"Authorization": wrong})
            assert answer.status_code == 403, wrong
            assert answer.json()["code"] == "metrics_token_invalid"
        assert await scrape(client, Authorization=f"Bearer {TOKEN}")


async def test_a_database_that_is_away_does_not_fail_a_scrape(tmp_path, database):
    here, there = database
    app = create_app(settings_for(there))
    async with running(app), client_of(app) as client:
        assert (await scrape(client))["goodword_database_up",] == 0
        async with reachable(here, there), asyncio.timeout(60):
            while (await scrape(client))["goodword_database_up",] == 0:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/metrics")).status_code == 200
