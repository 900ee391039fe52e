"""Scripts of other sites: those of named origins may call the API with a token, all others may not (A28)."""

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.config.loading import load
from goodword.config.settings import SettingsError

pytestmark = pytest.mark.one_database

FRIEND = "https://app.example"
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
FOREIGN = [
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "https://app.example/",
    "https://app.exampl",
    "https://app.example, https://evil.example",
    "*",
    "",
]


@pytest.fixture
async def api(database_url):
    settings = settings_for(database_url, cors_origins=(FRIEND, "http://localhost:5173"))
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


def shared(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a28_others_are_not_let_in(api, origin):
    answer = await api.get("/api/v1/me", headers={"Origin": origin, "Cookie": "x=y"})
    preflight = await api.options("/api/v1/users", headers={"Origin": origin} | ASKED)

    assert shared(answer) == shared(preflight) == {}
    assert preflight.status_code == 405
    assert answer.headers["vary"] == "Origin"


async def test_a28_two_origins_are_none(api):
    answer = await api.get("/api/v1/me", headers=[("Origin", FRIEND), ("Origin", "https://evil.example")])

    assert shared(answer) == {}


@pytest.mark.parametrize("origin", [FRIEND, "http://localhost:5173"])
async def test_a_named_one_is_let_in_without_credentials(api, origin):
    answer = await api.get("/api/v1/me", headers={"Origin": origin})

    assert shared(answer)["access-control-allow-origin"] == origin
    exposed = shared(answer)["access-control-expose-headers"].split(", ")
    assert {"Retry-After", "RateLimit", "Idempotency-Replayed", "X-Request-Id", "Location"} <= set(exposed)
    assert "access-control-allow-credentials" not in answer.headers


async def test_its_preflight_is_told_the_methods_of_the_path(api):
    answer = await api.options("/api/v1/me", headers={"Origin": FRIEND} | ASKED)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, PATCH"
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert answer.headers["x-request-id"]
    assert "content-type" not in answer.headers


async def test_a_preflight_for_nothing_is_refused(api):
    headers = {"Origin": FRIEND} | ASKED

    assert (await api.options("/nowhere", headers=headers)).status_code == 404
    assert (await api.options("/api/v1/me", headers=headers | {"Host": "evil.example"})).status_code == 400
    assert (await api.options("/api/v1/me", headers={"Origin": FRIEND})).status_code == 405


async def test_it_can_read_what_was_refused_at_the_edge(api):
    answer = await api.post("/api/v1/users", content=b"x" * 70_000, headers={"Origin": FRIEND})

    assert (answer.status_code, shared(answer)["access-control-allow-origin"]) == (413, FRIEND)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.example",
        "null",
        "app.example",
        "https://app.example/",
        "https://app.example/x",
        "ftp://app.example",
        "https://App.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://u@app.example",
        "https://",
        "https://app.example?x",
        "https://app.example:x",
        "https://[app",
        "https://büro.example",
    ],
)
def test_a28_what_is_no_origin_stops_the_start(origin):
    with pytest.raises(SettingsError, match="CORS_ORIGINS: must be origins as browsers send them"):
        load({"GOODWORD_CORS_ORIGINS": f"{FRIEND} {origin}"}, None)


async def test_an_app_in_a_browser_reaches_the_token_endpoint_from_a_named_origin(api):
    """As decision 8 says."""
    preflight = await api.options("/oauth/token", headers={"Origin": FRIEND} | ASKED)
    answer = await api.post(
        "/oauth/token", data={"grant_type": "refresh_token", "refresh_token": "x"}, headers={"Origin": FRIEND}
    )

    assert (preflight.status_code, shared(preflight)["access-control-allow-methods"]) == (204, "POST")
    assert answer.json()["error"] == "invalid_grant"
    assert shared(answer)["access-control-allow-origin"] == FRIEND
