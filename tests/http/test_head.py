"""HEAD is GET without the body, on every path; OPTIONS is nothing without CORS (A12)."""

import re

import pytest

from bodies import SOME_ID, make_admin, operations

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
    return [
        {name: value for name, value in one.headers.items() if name not in changing} for one in (head, shown)
    ]


@pytest.mark.parametrize("path", [*GETS, *PAGES])
async def test_a12_head_is_get_without_the_body(alice, app, path):
    await make_admin(alice, app)

    head, shown = await both(alice, re.sub(r"\{\w+\}", SOME_ID, path))

    assert head == shown
    assert "content-length" in head or head == shown


async def test_a12_head_of_what_there_is(alice):
    code = (await alice.post("/api/v1/me/referral-codes", {"expires_in": 3600})).json()

    head, shown = await both(alice, f"/api/v1/referral-codes/{code['code']}")
    assert (head, "content-length" in head) == (shown, True)
    head, shown = await both(alice, f"/r/{code['code']}")
    assert head == shown


@pytest.mark.parametrize("path", sorted({one.path for one in operations()} | set(PAGES)))
async def test_a12_options_is_not_allowed_and_says_nothing_of_origins(alice, path):
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
