"""GET and POST /sign-up, and GET /check-mail."""

import asyncio
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from pydantic import SecretStr

from people import PASSWORD, make_code, referrals_of, register
from second_service import second_service
from third_party import Browser, Form, register_app

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
BOB = {"email": "bob@example.com", "password": "quiet otters swim at dawn", "first_name": "Bob"}


def wrong(page):
    """Return the fields with errors, and their texts."""
    said = dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))
    for name in said:
        field = re.search(rf'<input id="{name}"[^>]*>', page.text)[0]
        assert 'aria-invalid="true"' in field
        assert re.search(rf'aria-describedby="[^"]*\b{name}-error"', field)
    return said


async def test_registers_by_a_link_and_signs_in(browser, alice, post):
    code = await make_code(alice)

    answer = await browser.send(await browser.get(f"/r/{code['code']}"), **BOB)

    assert (answer.status_code, answer.headers["location"]) == (303, "/check-mail")
    check = await browser.get("/check-mail")
    assert BOB["email"] in check.text
    assert "You are signed in" in (await browser.get("/")).text
    (referral,) = await referrals_of(alice)
    assert referral["referee"]["display_name"] == "Bob"
    assert [letter.kind for letter in await post(to=BOB["email"])] == ["verify_email"]


async def test_registers_without_a_code(browser, api, rows):
    answer = await browser.send(await browser.get("/sign-up"), **BOB)

    assert answer.status_code == 303
    assert await rows("SELECT email, first_name, last_name FROM users") == [("bob@example.com", "Bob", None)]
    assert await rows("SELECT count(*) FROM referrals") == [(0,)]


async def test_fills_in_the_code_from_the_query(browser):
    page = await browser.get("/sign-up", params={"referral_code": '"><b>x', "next": "//evil.example"})

    assert (Form(page.text).fields["referral_code"], Form(page.text).fields["next"]) == ('"><b>x', "/")
    assert "<b>" not in page.text


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"email": ""}, "email", "fill this in"),
        ({"email": "nonsense"}, "email", "valid e-mail address"),
        ({"email": "bob@example.com\x00"}, "email", "valid e-mail address"),
        ({"email": "b" * 300 + "@example.com"}, "email", "too long"),
        ({"password": ""}, "password", "fill this in"),
        ({"password": "short"}, "password", "at least 8 characters"),
        ({"password": "password123"}, "password", "too common"),
        ({"password": "bob@example.com"}, "password", "as a password"),
        ({"password": "x" * 5000}, "password", "at most 256 characters"),
        ({"password": "quiet otters\x00"}, "password", "Control characters"),
        ({"first_name": "x" * 101}, "first_name", "too long"),
        ({"last_name": "\u202eevil"}, "last_name", "Control characters"),
        ({"referral_code": "NOSUCHCODE"}, "referral_code", "not valid"),
        ({"referral_code": "<b>"}, "referral_code", "not valid"),
        ({"referral_code": "x" * 1100}, "referral_code", "too long"),
    ],
)
async def test_shows_errors_beside_their_fields(browser, api, rows, fields, name, said):
    given = BOB | {"last_name": "Builder", "next": "/docs"} | fields

    answer = await browser.send(await browser.get("/sign-up"), **given)

    assert answer.status_code == 422
    assert list(wrong(answer)) == [name]
    assert said in wrong(answer)[name]
    assert re.findall(r'<input id="(\w+)"[^>]*\bautofocus', answer.text) == [name]
    assert "<title>Error: Sign up" in answer.text
    assert 'role="alert"' in answer.text
    kept = Form(answer.text).fields
    assert kept["password"] == ""
    for field in ("email", "first_name", "last_name", "next"):
        assert kept[field] == given[field].strip("\x00") or "\x00" in given[field]
    assert await rows("SELECT count(*) FROM users") == [(0,)]
    assert "set-cookie" not in answer.headers


async def test_shows_all_errors_at_once(browser, api):
    answer = await browser.send(await browser.get("/sign-up"), email="x", password="", first_name="\u200b")

    assert list(wrong(answer)) == ["email", "password", "first_name"]
    assert re.findall(r'<input id="(\w+)"[^>]*\bautofocus', answer.text) == ["email"]


async def test_shows_the_errors_of_the_password_and_the_code_with_those_of_other_fields(browser, api):
    given = {"email": "x", "password": "short", "referral_code": "NOSUCHCODE"}
    answer = await browser.send(await browser.get("/sign-up"), **given)

    assert {name: said[:20] for name, said in wrong(answer).items()} == {
        "email": "Enter a valid e-mail",
        "password": "Use at least 8 chara",
        "referral_code": "This referral code i",
    }


async def test_asks_for_the_names_later(browser, api):
    page = await browser.get("/sign-up")
    assert "first_name" not in Form(page.text).fields

    answer = await browser.send(page, **BOB | {"email": "x"})

    assert Form(answer.text).fields["first_name"] == "Bob"


async def test_the_code_of_a_friend_is_applied_and_can_be_changed(browser, alice):
    code = (await make_code(alice))["code"]

    for page in (
        await browser.get(f"/r/{code}"),
        await browser.send(await browser.get(f"/r/{code}"), email="x"),
    ):
        text = page.text
        chip = re.search(r'<details class="chip applied">(.*?)</details>', text, re.DOTALL)[1]
        assert "Alice L.’s code is applied" in chip
        assert re.search(rf'name="referral_code"[^>]*value="{code}"[^>]*form="join"', chip)
        assert "Alice L. invites you" in text
    unknown = (await browser.get("/sign-up?referral_code=NOSUCHCODE")).text
    assert '<details class="chip" open>' in unknown


async def test_an_unusable_code_creates_no_account(browser, alice, rows):
    code = await make_code(alice)
    page = await browser.get(f"/r/{code['code']}")
    await alice.delete(f"/api/v1/me/referral-codes/{code['code']}")

    answer = await browser.send(page, **BOB)

    assert answer.status_code == 422
    assert list(wrong(answer)) == ["referral_code"]
    assert await rows("SELECT count(*) FROM users") == [(1,)]


async def test_a_taken_address_does_not_use_the_code(browser, alice, bob):
    code = await make_code(alice, max_uses=1)

    answer = await browser.send(await browser.get(f"/r/{code['code']}"), **BOB)

    assert answer.status_code == 409
    assert "account with this address already" in wrong(answer)["email"]
    assert (await browser.get(f"/r/{code['code']}")).status_code == 200


async def test_a_form_sent_twice_creates_one_account_and_one_referral(browser, alice, rows):
    code = await make_code(alice)
    page = await browser.get(f"/r/{code['code']}")

    answers = await asyncio.gather(*(browser.send(page, **BOB) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    assert await rows("SELECT count(*) FROM users") == [(2,)]
    assert await rows("SELECT uses FROM referral_codes") == [(1,)]
    assert len(await referrals_of(alice)) == 1
    assert "You are signed in" in (await browser.get("/")).text


async def test_concurrent_registrations_share_the_last_use(browser, alice, rows):
    code = await make_code(alice, max_uses=1)
    page = await browser.get(f"/r/{code['code']}")

    given = [BOB | {"email": f"bob{number}@example.com"} for number in range(4)]
    answers = await asyncio.gather(*(browser.send(page, **one) for one in given))

    assert sorted(answer.status_code for answer in answers) == [303, 422, 422, 422]
    assert await rows("SELECT count(*) FROM users") == [(2,)]


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
@pytest.mark.parametrize(
    "path", ["/sign-up", "/forgot-password", "/reset-password", "/verify-email", "/confirm-email"]
)
async def test_a_form_of_another_site_is_refused(browser, api, rows, path, headers):
    answer = await browser.send(await browser.get(path), headers=headers, token="x", **BOB)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert await rows("SELECT count(*) FROM users") == [(0,)]
    assert await rows("SELECT count(*) FROM jobs WHERE kind IN ('verify_email', 'reset_password')") == [(0,)]


@pytest.mark.parametrize("path", ["/sign-up", "/forgot-password", "/verify-email", "/language"])
@pytest.mark.parametrize("body", [b"\xff", b"email=a&email=b", b"a=1&" * 40])
async def test_an_unreadable_form_is_refused(browser, path, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await browser.client.post(path, content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("target", ["/docs", "/oauth/authorize?client_id=x", "//evil.example", "/\\evil", ""])
async def test_redirects_to_the_requested_page(browser, api, target):
    page = await browser.get("/sign-up", params={"next": target})

    answer = await browser.send(page, next=target, **BOB)

    leads_here = target.startswith("/") and not target.startswith(("//", "/\\"))
    assert answer.headers["location"] == (target if leads_here else "/check-mail")


async def test_a_signed_in_visitor_makes_no_second_account_silently(browser, alice, rows):
    form = await browser.get("/sign-up")
    await browser.sign_in(alice)

    for page in (await browser.get("/sign-up"), await browser.send(form, **BOB)):
        assert f'You are signed in as <strong class="address">{alice.email}</strong>' in page.text
        assert 'name="password"' not in page.text
    assert page.status_code == 409
    assert await rows("SELECT count(*) FROM users") == [(1,)]
    assert (await browser.get("/account")).status_code == 200, "the session has not ended"

    out = await browser.send(page)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-up")
    assert (await browser.send(await browser.get("/sign-up"), **BOB)).status_code == 303


async def test_the_referrer_is_shown_after_an_error(browser, alice):
    code = await make_code(alice)
    page = await browser.get(f"/r/{code['code']}")

    for fields in ({"email": "nonsense"}, {"password": "short"}, {"email": alice.email}):
        page = await browser.send(page, **BOB | fields)
        assert page.status_code in (409, 422)
        assert "<h1>Alice L. invites you to Goodword</h1>" in page.text
        assert Form(page.text).fields["referral_code"] == code["code"]
    assert (
        "invites you to Goodword"
        not in (await browser.send(page, **BOB | {"referral_code": "NOSUCHCODE"})).text
    )


async def test_the_code_stays_on_the_way_through_the_sign_in(browser, alice):
    code = (await make_code(alice))["code"]
    page = await browser.get(f"/r/{code}")

    for _ in range(2):
        page = await browser.get(unescape(re.search(r'href="(/sign-in[^"]*)"', page.text)[1]))
        wrong_password = await browser.send(page, email="bob@example.com", password="wrong wrong")
        assert wrong_password.status_code == 401
        link = unescape(re.search(r'href="(/sign-up[^"]*)"', wrong_password.text)[1])
        page = await browser.get(link)
        assert Form(page.text).fields["referral_code"] == code
        assert "Alice L. invites you to Goodword" in page.text
    language = re.search(
        r'<input type="hidden" name="next" value="([^"]*)">\s*<button[^>]* name="language"', page.text
    )
    assert f"referral_code={code}" in language[1]

    removed = await browser.send(page, **BOB | {"referral_code": "", "password": "short"})
    assert "referral_code=" not in re.search(r'href="(/sign-in[^"]*)"', removed.text)[1]


async def test_the_code_of_an_authorization_request_stays(browser, alice, app, api):
    code = (await make_code(alice))["code"]
    garden = await register_app(app, api, "https://garden.example/callback")

    answer = await browser.get(garden.url(referral_code=code))
    page = await browser.get(answer.headers["location"])
    page = await browser.get(unescape(re.search(r'href="(/sign-up[^"]*)"', page.text)[1]))
    assert Form(page.text).fields["referral_code"] == code
    answer = await browser.send(page, **BOB)

    assert answer.headers["location"].startswith("/oauth/authorize?")
    assert (await browser.get(answer.headers["location"])).status_code == 200
    assert len(await referrals_of(alice)) == 1


async def test_the_account_page_says_who_invited(browser, alice):
    code = await make_code(alice)
    await browser.send(await browser.get(f"/r/{code['code']}"), **BOB)
    assert "Invited by Alice L." in (await browser.get("/account")).text

    await alice.patch("/api/v1/me", {"first_name": None, "last_name": None})
    assert "A friend invited you." in (await browser.get("/account")).text


async def test_the_account_has_the_language_of_the_page(browser, api, rows, post):
    browser.client.cookies.set("goodword-language", "ru", domain="127.0.0.1")

    await browser.send(await browser.get("/sign-up"), **BOB)

    assert await rows("SELECT language FROM users") == [("ru",)]
    assert "этот адрес указали при регистрации" in (await post.only(BOB["email"])).text


async def test_the_verification_email_can_be_resent(browser, api, post):
    await browser.send(await browser.get("/sign-up"), **BOB)
    await post()

    answer = await browser.send(await browser.get("/check-mail"))

    assert "We sent another e-mail" in answer.text
    assert (await post.only(BOB["email"])).kind == "verify_email"
    for refused in (
        await browser.send(answer, headers={"Origin": "https://evil.example"}),
        await browser.send(answer, form_token="0" * 64),
    ):
        assert refused.status_code == 403


async def test_check_mail_requires_a_session(browser):
    answer = await browser.get("/check-mail")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fcheck-mail")
    assert (await browser.client.post("/check-mail")).status_code == 403


@pytest.mark.parametrize("server", [None, SecretStr("smtp://mail.example")])
async def test_shows_that_there_is_no_mail_server(alice, database_url, server):
    async with second_service(database_url, smtp_url=server) as api:
        await api.post("/sign-in", data={"email": alice.email, "password": PASSWORD})
        page = await api.get("/check-mail")

    assert ("has no mail server" in page.text) == (server is None)


async def test_the_dashboard_shows_the_link(browser, alice, api):
    await browser.sign_in(alice)
    assert "Create your own link and share it" in (await browser.get("/")).text

    code = await make_code(alice)
    home = await browser.get("/")

    assert code["link"] in home.text
    assert "not confirmed yet" in home.text
    assert (await register(api, "carol", referral_code=code["code"])).status_code == 201


class Inputs(HTMLParser):
    """Parse the attributes of each input."""

    def __init__(self, page):
        super().__init__()
        self.found = {}
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        if tag == "input":
            self.found[dict(attrs)["name"]] = dict(attrs)


async def test_fields_have_attributes_for_the_browser(browser):
    fresh = await browser.get("/sign-up")
    refused = await browser.send(fresh, email="bob@", password="short")

    for page in (fresh, refused):
        fields = Inputs(page).found
        needed = {name for name, attributes in fields.items() if "required" in attributes}
        assert needed == {"email", "password"}
        assert fields["password"]["aria-describedby"].split()[0] == "password-hint"
        assert fields["email"]["autocapitalize"] == "none"
    assert fields["email"]["aria-invalid"] == "true"
    assert "autofocus" in fields["email"]


async def test_a_form_too_many_keeps_the_invitation(alice, database_url):
    async with second_service(database_url, limits="sign-up=1/minute") as client:
        visitor = Browser(client)
        blank = await visitor.get("/sign-up?referral_code=ALICE-2026&next=/people")
        await visitor.send(blank, headers=HTML, email="x")
        refused = await visitor.send(blank, headers=HTML, **BOB)
        assert refused.status_code == 429
        wait = refused.headers["retry-after"]
        assert re.search(f"Your invitation is safe. Try again in {wait} seconds?", refused.text)
        assert BOB["email"] not in refused.text
        back = unescape(re.search(r'<a class="button main" href="(.*?)"', refused.text)[1])
        assert Form((await visitor.get(back)).text).fields["referral_code"] == "ALICE-2026"
        assert "next=%2Fpeople" in back

        without = await visitor.send(blank, headers=HTML, **BOB, referral_code="")
        assert (without.status_code, "Your invitation is safe" in without.text) == (429, False)
        plain = await visitor.send(blank, email=BOB["email"], password=BOB["password"])
        assert plain.headers["content-type"] == "application/problem+json"
