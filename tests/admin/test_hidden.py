"""To everybody but administrators there is nothing under /api/v1/admin, whatever they send."""

from typing import Any

import pytest

from asgi import forget_limits
from goodword.admin import service
from people import sign_in
from sweeps import Sweep

pytestmark = pytest.mark.one_database

SOME_ID = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"  # fixed: parallel runs collect the same tests
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/users", {}),
    ("GET", "/users", {"params": {"limit": "nonsense"}}),
    ("GET", "/users", {"params": [("q", "a"), ("q", "b")]}),
    ("GET", "/users/", {}),
    ("POST", "/users", {"json": {}}),
    ("PROPFIND", "/users", {}),
    ("OPTIONS", "/users", {}),
    ("HEAD", "/users", {}),
    ("GET", f"/users/{SOME_ID}", {}),
    ("GET", "/users/no-id", {}),
    ("DELETE", f"/users/{SOME_ID}", {}),
    ("POST", f"/users/{SOME_ID}/disable", {}),
    ("GET", f"/users/{SOME_ID}/disable", {}),
    ("GET", f"/users/{SOME_ID}/referral-tree", {"params": {"depth": "99"}}),
    ("DELETE", "/referral-codes/7KQ2M9XWPA", {}),
    ("POST", f"/referrals/{SOME_ID}/reject", {"content": b"{", "headers": {"Content-Type": "text/plain"}}),
    ("POST", f"/referrals/{SOME_ID}/reject", {"json": {"reason": 7}}),
    ("GET", "", {}),
    ("GET", "/", {}),
]


def seen(answer):
    """All that an answer shows but the id of its request."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    body = answer.json() | {"request_id": None} if answer.content else None
    return answer.status_code, headers, body


async def test_anonymous_requests_get_the_404_of_an_unknown_path(api, app):
    with Sweep() as sweep:
        for method, path, options in REQUESTS:
            forget_limits(app)
            with sweep.case(f"{method!a} {path!a}"):
                unknown = await api.request(method, "/api/v1/nothing-here", **options)

                answer = await api.request(method, f"/api/v1/admin{path}", **options)

                assert seen(answer) == seen(unknown)
                assert answer.status_code == 404


async def test_users_get_the_404_of_an_unknown_path(alice, app):
    with Sweep() as sweep:
        for method, path, options in REQUESTS:
            forget_limits(app)
            with sweep.case(f"{method!a} {path!a}"):
                unknown = await alice.call(method, "/api/v1/nothing-here", **dict(options))

                answer = await alice.call(method, f"/api/v1/admin{path}", **dict(options))

                assert seen(answer) == seen(unknown)


@pytest.mark.parametrize("token", ["nonsense", "", "a.b.c", "ü"])
async def test_an_invalid_token_gets_404(api, token):
    answer = await api.get("/api/v1/admin/users", headers={"Authorization": f"Bearer {token}".encode()})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "www-authenticate" not in answer.headers


async def test_a_demoted_administrator_gets_404_at_once(app, rita):
    assert (await rita.get("/api/v1/admin/users")).status_code == 200

    async with app.state.services.database.transaction() as session:
        await service.demote(session, await service.find_id(session, rita.email))

    assert (await rita.get("/api/v1/admin/users")).status_code == 404
    assert (await rita.get("/api/v1/me")).status_code == 200


async def test_a_promoted_user_needs_a_new_sign_in(app, api, alice):
    async with app.state.services.database.transaction() as session:
        user_id = await service.find_id(session, alice.email)
        await service.promote(session, app.state.services, user_id, now=app.state.services.clock())
    assert (await alice.get("/api/v1/admin/users")).status_code == 404

    assert "admin" in (await sign_in(api, alice.email)).json()["scope"].split()
    await alice.sign_in()

    assert (await alice.get("/api/v1/admin/users")).status_code == 200


async def test_sign_in_grants_no_scope_without_the_right(alice):
    assert "admin" not in alice.tokens["scope"].split()


async def test_administrators_get_404_for_an_unknown_path(rita):
    for method, path in (("PUT", "/users"), ("GET", "/nothing"), ("GET", "/users/")):
        assert (await rita.call(method, f"/api/v1/admin{path}")).status_code == 404
