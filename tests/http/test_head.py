"""HEAD is GET without the body, on every path; OPTIONS is nothing without CORS (A12)."""

import re

import pytest

from asgi import forget_limits
from operations import SOME_ID, make_admin, operations
from people import make_code
from sweeps import Sweep

pytestmark = pytest.mark.one_database

OWN = {"x-request-id", "date", "set-cookie"}
PAGES = [
    "/",
    "/sign-in",
    "/sign-up",
    "/check-mail",
    "/forgot-password",
    "/account",
    "/nowhere",
    "/docs",
    "/openapi.json",
]
GETS = sorted({one.path for one in operations() if one.method == "GET"})


async def both(person, path):
    shown = await person.get(path)
    head = await person.call("HEAD", path)
    assert head.content == b""
    assert head.status_code == shown.status_code
    changing = OWN | {"retry-after", "ratelimit"}
    # A page holds the random tokens of its forms, and an answer of the docs its own request id; the length stays.
    # Each counts, so the limit is one nearer.
    return [
        {name: value for name, value in one.headers.items() if name not in changing} for one in (head, shown)
    ]


async def test_a12_head_is_get_without_the_body(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for path in [*GETS, *PAGES]:
            forget_limits(app)
            with sweep.case(f"{path!a}"):
                head, shown = await both(alice, re.sub(r"\{\w+\}", SOME_ID, path))

                assert head == shown
                assert "content-length" in head or head == shown


async def test_a12_head_of_what_there_is(alice):
    code = await make_code(alice)

    head, shown = await both(alice, f"/api/v1/referral-codes/{code['code']}")
    assert (head, "content-length" in head) == (shown, True)
    head, shown = await both(alice, f"/r/{code['code']}")
    assert head == shown


@pytest.mark.parametrize("path", ["/livez", "/sign-in", "/nowhere"])
async def test_a12_no_server_needs_to_take_the_body_away(app, path):
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "HEAD"}
    scope |= {"scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"host", b"127.0.0.1:8000")], "client": ("127.0.0.1", 54321)}
    await app(scope | {"server": ("127.0.0.1", 8000)}, receive, send)

    start, *rest = sent
    assert int(dict(start["headers"])[b"content-length"]) > 0
    assert b"".join(message.get("body", b"") for message in rest) == b""


async def test_a12_options_is_not_allowed_and_says_nothing_of_origins(alice, app):
    with Sweep() as sweep:
        for path in sorted({one.path for one in operations()} | set(PAGES)):
            forget_limits(app)
            with sweep.case(f"{path!a}"):
                answer = await alice.call(
                    "OPTIONS", re.sub(r"\{\w+\}", SOME_ID, path), headers={"Origin": "https://evil.example"}
                )

                assert answer.status_code in (404, 405)
                assert not [name for name in answer.headers if name.startswith("access-control")]
                if answer.status_code == 405:
                    allowed = answer.headers["allow"].split(", ")
                    assert ("HEAD" in allowed) == ("GET" in allowed)


async def test_a11_head_of_what_cannot_be_read_names_the_right_methods(api):
    answer = await api.request("HEAD", "/api/v1/users")

    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")
