"""GET and POST /sign-in, POST /sign-out, and the page that says whether one is signed in."""

import uuid

import pytest
from fastapi import Response

from goodword.sessions.models import UserSession
from pages.pressing import press
from people import PASSWORD
from second_service import second_service
from third_party import Form

pytestmark = pytest.mark.one_database

WRONG = "The e-mail address or password is wrong."


async def test_a_person_signs_in_and_out(browser, alice):
    assert "Welcome" in (await browser.get("/")).text

    answer = await browser.sign_in_by_form(alice)

    assert answer.headers["location"] == "/"
    home = await browser.get("/")
    assert "You are signed in" in home.text
    out = await press(browser, "/", "/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/")
    assert "Welcome" in (await browser.get("/")).text


async def test_the_cookie_is_for_this_service_only(browser, alice):
    cookie = (await browser.sign_in_by_form(alice)).headers["set-cookie"]

    assert cookie.startswith("goodword=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host(alice, database_url):
    async with second_service(database_url, public_url="https://goodword.example") as api:
        data = {"email": alice.email, "password": PASSWORD}
        answer = await api.post("/sign-in", data=data, headers={"Origin": "https://goodword.example"})

    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-goodword=")
    assert "Secure" in cookie


async def test_the_old_cookie_is_dead_after_signing_out(browser, alice):
    await browser.sign_in(alice)
    cookie = browser.client.cookies["goodword"]
    await press(browser, "/", "/sign-out")

    browser.client.cookies.set("goodword", cookie, domain="127.0.0.1")

    assert "Welcome" in (await browser.get("/")).text


async def test_the_session_of_a_token_opens_no_page(app, browser, alice, rows):
    """Not even with the cookie that we would write for it."""
    ((session_id,),) = await rows("SELECT id FROM sessions")
    answer = Response()
    app.state.services.page_cookies.write(answer, UserSession(id=uuid.UUID(str(session_id))))
    cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]

    browser.client.cookies.set("goodword", cookie.strip('"'), domain="127.0.0.1")

    assert "Welcome" in (await browser.get("/")).text


async def test_the_use_of_a_browser_session_is_recorded(browser, alice, clock):
    await browser.sign_in(alice)

    async def last_used():
        await alice.sign_in()  # its access token may have expired
        found = (await alice.get("/api/v1/me/sessions")).json()["items"]
        return next(one["last_used_at"] for one in found if one["client"] == "goodword-pages")

    before = await last_used()
    await browser.get("/account")
    assert await last_used() == before, "not more often than every ten minutes"
    clock.forward(minutes=9, seconds=59)
    await browser.get("/account")
    assert await last_used() == before
    clock.forward(seconds=1)
    await browser.get("/account")
    assert await last_used() > before


async def test_a_browser_session_ends_after_thirty_days_without_use(browser, alice, clock):
    await browser.sign_in(alice)
    clock.forward(days=29)
    assert "You are signed in" in (await browser.get("/")).text
    clock.forward(days=29)
    assert "You are signed in" in (await browser.get("/")).text
    clock.forward(days=30)
    assert "Welcome" in (await browser.get("/")).text


async def test_a_browser_session_ends_after_ninety_days_of_use(browser, alice, clock):
    await browser.sign_in(alice)
    for _ in range(4):
        clock.forward(days=22)
        assert "You are signed in" in (await browser.get("/")).text
    clock.forward(days=2)
    assert "Welcome" in (await browser.get("/")).text


async def test_in_the_audit_nobody_signs_in_for_another(browser, alice, bob, rows):
    await browser.sign_in(alice)
    await browser.sign_in(bob)

    acts = "action IN ('session.started', 'user.registered')"
    assert await rows(f"SELECT count(*) FROM audit_events WHERE {acts}") == [(6,)]
    assert await rows(f"SELECT action FROM audit_events WHERE {acts} AND actor_id <> person_id") == []


async def test_signing_in_anew_ends_what_was_before(browser, alice, mallory, rows):
    await browser.sign_in(mallory)
    await browser.sign_in(alice)

    ended = await rows("SELECT count(*) FROM sessions WHERE revoked_reason = 'signed_in_anew'")
    assert ended == [(1,)]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("alice@example.com", ""),
        ("alice@example.com", "\x00"),
        ("alice@example.com", "x" * 2000),
        ("<script>@example.com", "x"),
        ("\x00", "x"),
        ("a" * 5000, "x"),
    ],
)
async def test_a_wrong_password_is_said_once_and_the_address_stays(browser, alice, email, password):
    answer = await browser.send(await browser.get("/sign-in?next=/docs"), email=email, password=password)

    assert answer.status_code == 401
    assert answer.text.count(WRONG) == 1
    assert "set-cookie" not in answer.headers
    form = Form(answer.text)
    assert (form.fields["email"], form.fields["next"]) == (email, "/docs")
    assert form.fields["password"] == ""
    assert "<script>" not in answer.text


async def test_the_error_is_tied_to_the_fields(browser, alice):
    answer = await browser.send(await browser.get("/sign-in"), email=alice.email, password="wrong")

    assert 'role="alert"' in answer.text
    assert answer.text.count('aria-describedby="error"') == 2
    assert "<title>Error: Sign in" in answer.text


async def test_after_too_many_wrong_ones_it_says_so(browser, alice):
    page = await browser.get("/sign-in")
    for _ in range(5):
        await browser.send(page, email=alice.email, password="wrong")

    answer = await browser.send(page, email=alice.email, password=PASSWORD)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert "Too many wrong passwords. Try again in 1 second." in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/..//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "evil.example",
        " /x",
        "/x y",
        "http:/evil.example",
        "/\x00",
    ],
)
async def test_it_leads_nowhere_else(browser, alice, target):
    shown = await browser.get("/sign-in", params={"next": target})
    assert Form(shown.text).fields["next"] == "/"

    answer = await browser.send(shown, next=target, email=alice.email, password=PASSWORD)

    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "target", ["/", "/docs", "/oauth/authorize?client_id=x&state=%2F%2Fevil", "/a?b=//c"]
)
async def test_it_leads_on(browser, alice, target):
    page = await browser.get("/sign-in", params={"next": target})

    answer = await browser.send(page, email=alice.email, password=PASSWORD)

    assert answer.headers["location"] == target


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_another_site_cannot_sign_anybody_in(browser, mallory, headers):
    page = await browser.get("/sign-in")

    answer = await browser.send(page, headers=headers, email=mallory.email, password=PASSWORD)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_another_site_cannot_sign_anybody_out(browser, alice):
    await browser.sign_in(alice)
    home = await browser.get("/")

    assert (await browser.send(home, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await browser.send(home, form_token="0" * 64)).status_code == 403
    assert (await browser.client.post("/sign-out")).status_code == 403
    assert "You are signed in" in (await browser.get("/")).text


@pytest.mark.parametrize("cookie", ["", "x", "AAAA", "=" * 9, "é", "A" * 5000, "AAAAAAAAAAAAAAAAAAAAAA=="])
async def test_a_cookie_that_is_not_ours_is_nobody(browser, cookie):
    headers = {"Cookie": f"goodword={cookie}".encode()}

    assert "Welcome" in (await browser.get("/", headers=headers)).text


@pytest.mark.parametrize("body", [b"\xff", b"email=a&email=b", b"a=1&" * 40])
async def test_a_form_that_cannot_be_read_is_refused(browser, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert (await browser.client.post("/sign-in", content=body, headers=headers)).status_code == 400


async def test_a_browser_session_is_no_api_session(browser, api, alice):
    await browser.sign_in(alice)

    assert (await browser.get("/api/v1/me")).status_code == 401
