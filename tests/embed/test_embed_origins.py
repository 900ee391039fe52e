"""EMBED_ORIGINS: pages of these origins may read what the embed shows, and nothing else."""

import pytest

from asgi import client_of, running, settings_for
from goodword.app import create_app
from goodword.config.loading import load
from goodword.config.settings import SettingsError

pytestmark = pytest.mark.one_database

ACME, FRIEND = "https://acme.example", "https://app.example"
READ = [
    f"/api/v1/me/{name}"
    for name in ("referral-codes", "referrals", "referral-stats", "rewards", "reward-balances")
]
CLOSED = ["/api/v1/me", "/api/v1/me/sessions", "/api/v1/me/referral-codes/ALICE-2026", "/api/v1/me/export"]
ASKED = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
async def api(database_url):
    settings = settings_for(database_url, embed_origins=(ACME,), cors_origins=(FRIEND,))
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


def shared(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


@pytest.mark.parametrize("path", READ)
async def test_an_embed_origin_can_read_without_credentials(api, path):
    preflight = await api.options(path, headers={"Origin": ACME} | ASKED)
    refused = await api.get(path, headers={"Origin": ACME})

    assert (preflight.status_code, preflight.content) == (204, b"")
    assert shared(preflight) == {
        "access-control-allow-origin": ACME,
        "access-control-allow-methods": "GET, HEAD",
        "access-control-allow-headers": "Authorization",
        "access-control-max-age": "600",
        "access-control-expose-headers": shared(refused)["access-control-expose-headers"],
    }
    assert (refused.status_code, shared(refused)["access-control-allow-origin"]) == (401, ACME)
    assert refused.headers["vary"] == preflight.headers["vary"] == "Origin"


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("origin", ["https://evil.example", "https://acme.example:8443", "null", ""])
async def test_another_origin_can_read_nothing(api, path, origin):
    preflight = await api.options(path, headers={"Origin": origin} | ASKED)

    assert preflight.status_code == 405
    assert shared(preflight) == shared(await api.get(path, headers={"Origin": origin})) == {}


@pytest.mark.parametrize("path", CLOSED)
async def test_an_embed_origin_can_read_nothing_else(api, path):
    preflight = await api.options(path, headers={"Origin": ACME} | ASKED)

    assert shared(preflight) == shared(await api.get(path, headers={"Origin": ACME})) == {}
    assert shared(await api.get(path, headers={"Origin": FRIEND}))["access-control-allow-origin"] == FRIEND


async def test_an_embed_origin_cannot_write(api):
    answer = await api.post(READ[0], json={"lifetime": 3600}, headers={"Origin": ACME})

    assert shared(answer) == {}
    assert shared(await api.options(READ[0], headers={"Origin": FRIEND} | ASKED))[
        "access-control-allow-methods"
    ].startswith("GET, HEAD, POST")


@pytest.mark.parametrize("origin", ["*", "https://*.example", "acme.example", "https://acme.example/"])
def test_a_wrong_origin_stops_the_start(origin):
    with pytest.raises(SettingsError, match="GOODWORD_EMBED_ORIGINS: must be origins as browsers send them"):
        load({"GOODWORD_EMBED_ORIGINS": f"{ACME} {origin}"}, None)


@pytest.mark.parametrize("name", ["touch", "a b", "ref=", "x" * 33, "ссылка"])
def test_a_wrong_parameter_stops_the_start(name):
    with pytest.raises(SettingsError, match="GOODWORD_CAPTURE_PARAMETER: must be up to 32 Latin letters"):
        load({"GOODWORD_CAPTURE_PARAMETER": name}, None)
