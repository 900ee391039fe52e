"""The pages below /account and their forms: name, language, sessions, apps, password, deletion; and invitations."""

import re

import pytest
from sqlalchemy import text

from asgi import client_of
from pages.pressing import press
from people import PASSWORD, begin_sessions, make_code, sign_in
from third_party import Browser, register_app

pytestmark = pytest.mark.one_database

NEW = "eight lanterns in the valley"
ACTIONS = {
    "name": "/account",
    "language": "/account",
    "invitation": "/",
    "sessions/end": "/account/security",
    "sessions/end-all": "/account/security",
    "apps/shut-out": "/account/apps",
    "password": "/account/security",
    "export": "/account/data",
    "deletion": "/account/data",
}
"""The path of each form below /account, and of its page."""
SECURITY = "/account/security"


@pytest.fixture
async def at_home(browser: Browser, alice) -> Browser:
    """Alice's browser, signed in."""
    await browser.sign_in(alice)
    return browser


async def send(browser, action, **fields):
    return await press(browser, ACTIONS[action], f"/account/{action}", **fields)


def wrong(page):
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))


def location(answer):
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def said(browser, answer):
    """What the page says was done; loaded again it says no more and does nothing."""
    page = await browser.get(location(answer))
    return re.search(r'<p class="banner" role="status" tabindex="-1" autofocus>(.*?)</p>', page.text)[1]


async def test_the_page_shows_the_account(at_home, alice):
    page = await at_home.get("/account")

    assert page.headers["cache-control"] == "no-store"
    assert alice.email in page.text
    assert "not confirmed yet" in page.text
    assert 'value="Alice"' in page.text
    assert re.search("<strong>.+</strong>, this device", (await at_home.get(SECURITY)).text)
    for path in {*ACTIONS.values()} - {"/"}:
        links = re.findall(r'href="(/account[^"]*)"( aria-current="page")?', (await at_home.get(path)).text)
        assert {link for link, _ in links} >= {*ACTIONS.values()} - {"/"}
        assert [link for link, current in links if current] == [path]
    assert len(re.findall("<h1>", page.text)) == 1
    for name in re.findall(r'<input id="(\w+)"', page.text):
        assert f'<label for="{name}">' in page.text
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    assert not re.search(r"<style|style=|\son\w+=|javascript:", page.text)


async def test_sessions_come_in_pages(app, at_home, alice):
    await begin_sessions(app, alice, 45)
    path, pages = SECURITY, []
    while path:
        page = await at_home.get(path)
        assert page.status_code == 200, page.text
        pages.append(re.findall(r"<strong>(Device \d+|[^<]+)</strong>", page.text))
        path = next(
            iter(re.findall(r'href="(/account/security\?sessions=[^"#]+)#sessions"', page.text)), None
        )

    assert [len(found) for found in pages] == [20, 20, 7]
    assert len({device for found in pages for device in found if device.startswith("Device")}) == 45
    assert (await at_home.get(f"{SECURITY}?sessions=nonsense")).status_code == 400


async def test_a_name_is_changed_and_taken_away(at_home, alice):
    answer = await send(at_home, "name", first_name=" <b>Al</b> ", last_name="")

    assert await said(at_home, answer) == "Your name has been changed."
    me = (await alice.get("/api/v1/me")).json()
    assert (me["first_name"], me["last_name"]) == ("<b>Al</b>", None)
    page = (await at_home.get("/account")).text
    assert "<b>" not in page
    assert 'value="&lt;b&gt;Al&lt;/b&gt;"' in page


async def test_a_new_name_is_on_the_page_of_the_link(at_home, alice, api):
    code = await make_code(alice)
    assert "Alice L. invites you to Goodword" in (await api.get(f"/r/{code['code']}")).text

    await send(at_home, "name", first_name="Alicia", last_name="Liddell")

    assert "Alicia L. invites you to Goodword" in (await api.get(f"/r/{code['code']}")).text


@pytest.mark.parametrize(
    ("action", "fields", "status", "name", "words"),
    [
        ("name", {"first_name": "x" * 101}, 422, "first_name", "too long"),
        ("name", {"last_name": "\u202eevil"}, 422, "last_name", "Control characters"),
        ("invitation", {}, 422, "email", "fill this in"),
        ("invitation", {"email": '"><b>'}, 422, "email", "valid e-mail address"),
        ("password", {"new_password": NEW}, 422, "current_password", "fill this in"),
        (
            "password",
            {"current_password": "x", "new_password": NEW},
            403,
            "current_password",
            "Wrong password",
        ),
        ("password", {"current_password": PASSWORD, "new_password": "short"}, 422, "new_password", "8 char"),
        (
            "password",
            {"current_password": PASSWORD, "new_password": "password123"},
            422,
            "new_password",
            "too common",
        ),
        ("deletion", {}, 422, "password", "fill this in"),
        ("deletion", {"password": "x"}, 403, "password", "Wrong password"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(at_home, alice, action, fields, status, name, words):
    before = (await alice.get("/api/v1/me")).json()
    await make_code(alice)

    answer = await send(at_home, action, **fields)

    assert answer.status_code == status
    assert list(wrong(answer)) == [name]
    assert words in wrong(answer)[name]
    assert "<title>Error: " in answer.text
    assert "<b>" not in answer.text
    assert PASSWORD not in answer.text
    back = re.search(r'<form class="languages".*?name="next" value="(.*?)"', answer.text, re.DOTALL)[1]
    assert back == ACTIONS[action]
    assert (await alice.get("/api/v1/me")).json() == before
    assert (await sign_in(alice.api, alice.email)).status_code == 201


async def test_the_language_is_that_of_pages_and_letters(at_home, rows):
    answer = await send(at_home, "language", language="ru")

    assert await said(at_home, answer) == "Язык изменён."
    assert await rows("SELECT language FROM users") == [("ru",)]
    assert location(await send(at_home, "language", language="xx")) == "/account"
    assert await rows("SELECT language FROM users") == [("ru",)]


async def test_a_friend_is_invited_by_letter(at_home, alice, post):
    refused = await send(at_home, "invitation", email="bob@example.com")
    assert refused.status_code == 409
    assert "Create one first" in refused.text
    code = await make_code(alice)
    await post()

    answers = [await send(at_home, "invitation", email="bob@example.com") for _ in range(2)]

    assert "on its way" in await said(at_home, answers[0])
    letter = await post.only("bob@example.com")
    assert code["code"] in letter.text


async def test_letters_are_counted(at_home, alice):
    await make_code(alice)
    answers = [await send(at_home, "invitation", email=f"friend{n}@example.com") for n in range(21)]

    assert [answer.status_code for answer in answers] == [303] * 20 + [429]
    assert "retry-after" in answers[-1].headers
    assert "Try again later" in answers[-1].text


async def test_one_signs_out_there_and_everywhere(at_home, alice, app):
    async with client_of(app) as client:
        there = Browser(client)
        await there.sign_in(alice)
        shown = (await there.get(SECURITY)).text
        here = re.findall(r'name="session" value="([\w-]+)"', (await at_home.get(SECURITY)).text)
        theirs = set(re.findall(r'name="session" value="([\w-]+)"', shown))
        assert len(here) == 2  # there, and the program of the fixture
        (other,) = set(here) - theirs

        for _ in range(2):
            answer = await send(at_home, "sessions/end", session=other)
            assert await said(at_home, answer) == "The device has been signed out."
        assert location(await there.get("/account")) == "/sign-in?next=%2Faccount"
        assert (await at_home.get("/account")).status_code == 200

    answer = await send(at_home, "sessions/end-all")
    assert location(answer) == "/"
    assert 'goodword=""' in answer.headers["set-cookie"]
    assert (await alice.get("/api/v1/me")).status_code == 401
    closed = await at_home.get("/account")
    assert location(closed) == "/sign-in?next=%2Faccount"
    assert closed.headers["cache-control"] == "no-store"


async def test_an_app_is_shut_out(at_home, alice, app, api):
    letters = await register_app(app, api, "https://app.example/back", name="<b>Letters</b>")
    tokens = await letters.let_in(at_home)
    assert (await letters.get("/api/v1/me", tokens)).status_code == 200
    page = (await at_home.get("/account/apps")).text
    assert "&lt;b&gt;Letters&lt;/b&gt;" in page
    assert "<b>" not in page

    for _ in range(2):
        answer = await send(at_home, "apps/shut-out", client_id=letters.client_id)
        assert await said(at_home, answer) == "Access revoked."

    assert (await letters.get("/api/v1/me", tokens)).status_code == 401
    assert "No app has access" in (await at_home.get("/account/apps")).text


async def test_the_password_is_changed_and_others_are_signed_out(at_home, alice):
    answer = await send(at_home, "password", current_password=PASSWORD, new_password=NEW)

    assert "signed out everywhere else" in await said(at_home, answer)
    assert (await alice.get("/api/v1/me")).status_code == 401
    assert (await sign_in(alice.api, alice.email)).status_code == 401
    assert (await sign_in(alice.api, alice.email, NEW)).status_code == 201


async def test_ones_data_is_downloaded(at_home, alice):
    code = await make_code(alice)

    answer = await send(at_home, "export")

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="goodword-export.json"'
    assert answer.headers["cache-control"] == "no-store"
    by_api = await alice.get("/api/v1/me/export")
    assert answer.json().keys() == by_api.json().keys()
    assert code["code"] in answer.text
    assert (await at_home.get("/account/export")).status_code == 405


async def test_the_account_is_deleted(at_home, alice, rows):
    answer = await send(at_home, "deletion", password=PASSWORD)

    assert location(answer) == "/"
    assert 'goodword=""' in answer.headers["set-cookie"]
    assert await rows("SELECT email, status FROM users") == [(None, "erased")]
    assert location(await at_home.get("/account")) == "/sign-in?next=%2Faccount"


async def test_a_password_cannot_be_left_out(at_home, alice):
    answer = await send(at_home, "deletion")

    assert answer.status_code == 422
    assert "fill this in" in wrong(answer)["password"]
    assert (await alice.get("/api/v1/me")).status_code == 200


async def test_without_a_password_a_sign_in_must_be_recent(at_home, alice, app, rows, clock):
    async with app.state.services.database.transaction() as session:
        await session.execute(text("UPDATE users SET password_hash = NULL"))
    page = (await at_home.get(SECURITY)).text
    assert "You have no password" in page
    assert 'name="current_password"' not in page

    clock.forward(seconds=301)
    refused = await send(at_home, "deletion")
    assert refused.status_code == 403
    assert "sign out and sign in again" in refused.text
    clock.forward(seconds=-10)
    assert location(await send(at_home, "deletion")) == "/"
    assert await rows("SELECT email FROM users") == [(None,)]


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_form_is_good_for_one_session_and_from_here(at_home, alice, mallory, app, action, rows):
    letters = await register_app(app, alice.api, "https://app.example/back")
    await letters.let_in(at_home)
    await make_code(alice)
    (session_id,) = re.findall(r'name="session" value="([\w-]+)"', (await at_home.get(SECURITY)).text)[:1]
    fields = {
        "first_name": "Evil",
        "language": "ru",
        "email": "eve@example.com",
        "session": session_id,
        "client_id": letters.client_id,
        "current_password": PASSWORD,
        "new_password": NEW,
        "password": PASSWORD,
    }
    before = await state_of(alice, rows)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        refused = await press(at_home, ACTIONS[action], f"/account/{action}", headers=headers, **fields)
        assert refused.status_code == 403
    async with client_of(app) as client:
        others = Browser(client)
        await others.sign_in(mallory)
        page = (await others.get("/account")).text
        token = re.search(r'name="form_token" value="(\w+)"', page)[1]
        assert (
            await at_home.client.post(f"/account/{action}", data=fields | {"form_token": token})
        ).status_code == 403
        assert (await at_home.client.post(f"/account/{action}", data=fields)).status_code == 403
        assert await state_of(alice, rows) == before
        # With a token of her own she acts for herself alone.
        await others.client.post(f"/account/{action}", data=fields | {"form_token": token})
    assert await state_of(alice, rows) == before


async def state_of(alice, rows):
    return [
        await rows(
            "SELECT first_name, language, status, password_hash FROM users WHERE email = 'alice@example.com'"
        ),
        (await alice.get("/api/v1/me/sessions")).json()["items"],
        (await alice.get("/api/v1/me/apps")).json()["items"],
        await rows("SELECT count(*) FROM jobs WHERE kind = 'invitation'"),
    ]


@pytest.mark.parametrize("action", ACTIONS)
async def test_who_is_signed_out_does_nothing(browser, api, action):
    answer = await browser.client.post(f"/account/{action}", data={"form_token": "x"})

    assert location(answer) == "/sign-in?next=" + ("%2F" if action == "invitation" else "%2Faccount")
    assert answer.headers["cache-control"] == "no-store"
