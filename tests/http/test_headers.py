"""The headers that every answer carries."""

import re

import pytest
from pydantic import SecretStr

from asgi import client_of, forget_limits
from goodword.app import create_app
from goodword.config.settings import Settings
from operations import SOME_ID, operations
from people import register
from sweeps import Sweep

pytestmark = pytest.mark.one_database

EXPECTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


def missing(answer):
    return {name: value for name, value in EXPECTED.items() if answer.headers.get(name) != value}


@pytest.fixture
async def faulty():
    """A service with a route that fails."""
    app = create_app(Settings(secret_key=SecretStr("x" * 32), public_url="https://goodword.example"))

    @app.get("/fault", include_in_schema=False)
    async def fault():
        raise RuntimeError("a secret in an exception")

    async with client_of(app) as api:
        yield api


async def test_they_are_on_every_answer(alice):
    answers = [
        await alice.get("/api/v1/me"),
        await register(alice.api, "bob"),
        await register(alice.api, "bob"),
        await alice.api.get("/livez"),
        await alice.api.get("/nowhere"),
        await alice.api.put("/livez"),
        await alice.api.get("/api/v1/me"),
        await alice.api.post("/api/v1/users", content=b"x" * 70_000),
        await alice.api.post("/oauth/token", data={}),
        await alice.delete("/api/v1/me/sessions/current"),
    ]

    assert [(answer.status_code, missing(answer)) for answer in answers if missing(answer)] == []
    assert all(answer.headers["x-request-id"] for answer in answers)


async def test_a_fault_of_ours_has_them_too(faulty):
    answer = await faulty.get("/fault")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert missing(answer) == {}
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_person_sees_a_page_when_we_are_at_fault(faulty):
    answer = await faulty.get("/fault", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert answer.headers["x-request-id"] in answer.text
    assert "send this request ID to support" in answer.text
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert "RuntimeError" not in answer.text


async def test_every_operation_has_them(alice, app):
    with Sweep() as sweep:
        for accept in ["*/*", "text/html"]:
            for operation in operations():
                forget_limits(app)
                await alice.sign_in()  # an operation before may have ended the session
                with sweep.case(f"{accept!a} {operation}"):
                    path = re.sub(r"\{\w+\}", SOME_ID, operation.path)
                    for answer in (
                        await alice.api.request(operation.method, path, headers={"Accept": accept}),
                        await alice.call(operation.method, path, headers={"Accept": accept}),
                    ):
                        names = {
                            name for name, value in EXPECTED.items() if answer.headers.get(name) != value
                        }
                        if answer.headers.get("content-type", "").startswith("text/html"):
                            # A page has its own, which allow more.
                            names -= {"content-security-policy", "referrer-policy"}
                        if operation.path.startswith("/.well-known/"):
                            names -= {"cache-control"}  # the same for everybody
                        assert names == set(), (answer.status_code, names)
                        assert "default-src 'none'" in answer.headers["content-security-policy"]
                        assert "server" not in answer.headers


PAGES = [
    "/",
    "/sign-in",
    "/sign-up",
    "/forgot-password",
    "/account",
    "/people",
    "/r/NOBODYS",
    "/docs",
    "/redoc",
]


async def test_every_page_has_them(api, app):
    with Sweep() as sweep:
        for path in PAGES:
            forget_limits(app)
            with sweep.case(f"{path!a}"):
                answer = await api.get(path, headers={"Accept": "text/html"})

                assert set(missing(answer)) <= {"content-security-policy", "referrer-policy"}
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert "base-uri 'none'" in answer.headers["content-security-policy"]


async def test_a_fault_of_ours_tells_nothing(faulty):
    answer = await faulty.get("/fault")

    assert not any(word in answer.text for word in ("RuntimeError", "secret", "Traceback", ".py"))


async def test_https_is_for_good_where_it_is_used(faulty, api):
    answer = await faulty.get("/livez")

    assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert "strict-transport-security" not in (await api.get("/livez")).headers


async def test_no_origin_is_let_in(api):
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8000.evil.example"):
        answer = await api.get("/api/v1/me", headers={"Origin": origin})
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        preflight = await api.options("/api/v1/me", headers=asked)
        assert not any(name.startswith("access-control") for name in (*answer.headers, *preflight.headers))
        assert preflight.status_code == 405
