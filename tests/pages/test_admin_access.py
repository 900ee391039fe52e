"""Pages under /admin: for administrators they are there, for everybody else nothing is."""

import asyncio
import re
import uuid

import pytest
from fastapi.routing import APIRoute

from asgi import client_of, forget_limits, settings_for
from goodword.admin import service
from goodword.admin.pages.access import AdminPage
from goodword.app import create_app
from pages.pressing import press
from sweeps import Sweep
from third_party import Browser, register_app

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
SOME_ID = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"  # fixed: parallel runs collect the same tests


def path_of(template):
    path = re.sub(r"\{\w+:uuid\}", SOME_ID, template)
    return path.replace("{slug}", "default").replace("{step}", "approve")


def pages():
    """Every page and form there is, by method and path."""
    routes = create_app(settings_for("sqlite+aiosqlite:///none")).router.routes
    return [
        (method, path_of(route.path))
        for route in routes
        if isinstance(route, APIRoute) and route.path.startswith("/admin")
        for method in sorted(route.methods)
    ]


EVERY_PAGE = pages()
FILES = (".csv", ".png", "/appearance/email")
SHOWN_ELSEWHERE = ("rewards", "webhooks", "webhook-deliveries", "programs/default/rules")
NEED_MORE = tuple(f"/admin/{name}/{SOME_ID}" for name in SHOWN_ELSEWHERE)
"""Other tests look at a reward, an endpoint, a delivery and a rule."""
OTHER_WAYS = [
    ("GET", "/admin/"),
    ("OPTIONS", "/admin/users"),
    ("PROPFIND", "/admin/users"),
    ("GET", "/admin/nothing"),
    ("GET", f"/admin/users/{SOME_ID}/disable"),
    ("POST", "/admin/users"),
    ("GET", "/admin/users/no-id"),
]


def seen(answer):
    """All that an answer shows, but the id of its request and the path that was asked for."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    headers.pop("content-length", None)
    text = answer.text.replace(answer.headers["x-request-id"], "")
    path = re.escape(answer.request.url.path)
    return answer.status_code, headers, re.sub(rf'value="{path}[^"]*"', "", text)


async def knock(client, method, path, **headers):
    return await client.request(method, path, headers={**HTML, **headers})


def test_there_are_pages():
    assert len(EVERY_PAGE) >= 12
    routes = create_app(settings_for("sqlite+aiosqlite:///none")).router.routes
    assert all(
        isinstance(route, AdminPage)
        for route in routes
        if isinstance(route, APIRoute) and route.path.startswith("/admin")
    )


async def test_it_looks_like_an_unknown_address_to_everybody_else(api, alice, browser, app):
    with Sweep() as sweep:
        for method, path in [*EVERY_PAGE, *OTHER_WAYS, ("HEAD", "/admin")]:
            forget_limits(app)
            with sweep.case(f"{method!a} {path!a}"):
                shown_method = method if method in ("GET", "HEAD") else "POST"
                await browser.sign_in(alice)

                for client, headers in (
                    (api, {}),
                    (browser.client, {}),
                    (api, {"Authorization": f"Bearer {alice.tokens['access_token']}"}),
                    (api, {"Cookie": "goodword=nonsense"}),
                ):
                    unknown = await knock(client, shown_method, "/nothing-here", **headers)
                    answer = await knock(client, method, path, **headers)

                    assert answer.status_code == 404
                    if method == shown_method:
                        assert seen(answer) == seen(unknown)


async def test_a_token_of_an_app_or_of_an_administrator_opens_nothing(app, api, rita, browser):
    garden = await register_app(app, api, "https://garden.example/callback")
    await browser.sign_in(rita)
    tokens = await garden.let_in(browser)

    for method, path in EVERY_PAGE:
        for token in (tokens["access_token"], rita.tokens["access_token"]):
            answer = await knock(api, method, path, Authorization=f"Bearer {token}")
            assert answer.status_code == 404, path


async def test_an_administrator_sees_each_page_and_nothing_besides(browser, rita):
    await browser.sign_in(rita)

    for method, path in EVERY_PAGE:
        if method == "GET" and not path.startswith(NEED_MORE) and not path.endswith(FILES):
            answer = await knock(browser.client, method, path.replace(SOME_ID, rita.id))
            assert answer.status_code == 200, path
            assert answer.headers["cache-control"] == "no-store"
            assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
            assert not re.search(r"<style|style=|\son\w+=|javascript:|https?://(?!127)", answer.text)
            ids = re.findall(r' id="([^"]+)"', answer.text)
            assert len(ids) == len(set(ids))
            assert len(re.findall("<h1>", answer.text)) == 1
    for method, path in OTHER_WAYS:
        assert (await knock(browser.client, method, path)).status_code == 404, path


async def test_people_who_are_not_there(browser, rita):
    await browser.sign_in(rita)

    for _, path in EVERY_PAGE:
        if SOME_ID in path and path.count("/") > 3:
            answer = await press(browser, "/admin/users", path, headers=HTML, email="x")
            assert answer.status_code == 404, path
    for path in (f"/admin/users/{SOME_ID}", f"/admin/users/{SOME_ID}/tree", f"/admin/users/{SOME_ID}/erase"):
        assert (await browser.get(path, headers=HTML)).status_code == 404


async def test_administrators_land_on_the_overview_after_the_sign_in(browser, rita, alice):
    for person, next_path, target in (
        (rita, "/", "/admin"),
        (rita, "", "/admin"),
        (rita, "/account", "/account"),
        (alice, "/", "/"),
    ):
        form = {"email": person.email, "password": person.password, "next": next_path}
        answer = await browser.client.post("/sign-in", data=form, headers={"Origin": "http://127.0.0.1:8000"})
        assert (answer.status_code, answer.headers["location"]) == (303, target)


async def test_only_administrators_see_the_way_there(app, browser, rita, alice):
    await browser.sign_in(alice)
    assert 'href="/admin"' not in (await browser.get("/")).text
    async with client_of(app) as client:
        own = Browser(client)
        await own.sign_in(rita)
        for path in ("/", "/people", "/account"):
            assert 'href="/admin"' in (await own.get(path)).text


async def test_whoever_loses_the_right_is_out_at_once(app, browser, rita):
    await browser.sign_in(rita)
    assert (await browser.get("/admin")).status_code == 200

    async with app.state.services.database.transaction() as session:
        await service.demote(session, uuid.UUID(rita.id))

    assert (await browser.get("/admin")).status_code == 404
    assert (await browser.get("/account")).status_code == 200


@pytest.mark.parametrize("how", ["disabled", "erased", "signed out"])
async def test_whoever_is_out_is_out_here_at_once(app, browser, rita, alice, how):
    await browser.sign_in(rita)
    token = re.search(r'form_token" value="(\w+)"', (await browser.get("/admin")).text)[1]
    if how == "signed out":
        assert (await rita.delete("/api/v1/me/sessions")).status_code == 204
    else:
        services, user_id = app.state.services, uuid.UUID(rita.id)
        async with services.database.transaction() as session:
            if how == "disabled":
                await service.disable(session, user_id, by=None, now=services.clock())
            else:
                await service.erase(session, services, user_id, by=None)

    assert (await browser.get("/admin", headers=HTML)).status_code == 404
    answer = await browser.client.post(f"/admin/users/{alice.id}/disable", data={"form_token": token})
    assert answer.status_code == 404
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_a_foreign_form_is_refused(browser, rita, alice, app):
    await browser.sign_in(rita)
    with Sweep() as sweep:
        for path in [path.replace(SOME_ID, alice.id) for method, path in EVERY_PAGE if method == "POST"]:
            forget_limits(app)
            with sweep.case(path):
                fields = {"email": alice.email, "of": "x", "kind": "x"}

                elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
                assert (await press(browser, "/admin", path, headers=elsewhere, **fields)).status_code == 403
                assert (
                    await press(browser, "/admin", path, form_token="0" * 64, **fields)
                ).status_code == 403
                bare = await browser.client.post(path, json=fields)
                assert bare.status_code == 403
                assert (await alice.get("/api/v1/me")).status_code == 200


async def test_many_look_at_once_and_nobody_waits_for_another(browser, rita):
    await browser.sign_in(rita)
    shown = [path for method, path in EVERY_PAGE if method == "GET" and not path.startswith(NEED_MORE)]
    paths = [path.replace(SOME_ID, rita.id) for path in shown]

    for path in paths:
        answers = await asyncio.gather(*(browser.get(path) for _ in range(15)))
        assert {answer.status_code for answer in answers} == {200}, path
