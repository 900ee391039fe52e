"""POST /oauth/consent: only the page that we showed can say yes, and once. And what is remembered."""

import asyncio
from collections import Counter

import pytest

from asgi import client_of
from third_party import Browser, Form, answer_of

pytestmark = pytest.mark.one_database


@pytest.fixture
async def mallorys(app, mallory):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(mallory)
        yield browser


async def test_it_asks_in_plain_words_and_says_who_asks(garden, alices):
    page = await alices.get(garden.url(scope="openid codes:write"))

    assert "Garden letters" in page.text
    assert "alice@example.com" in page.text
    assert "Create, change and delete your referral codes" in page.text
    assert "See whom you brought" not in page.text
    assert "https://garden.example/callback" in page.text


async def test_it_cannot_be_framed_and_runs_nothing(garden, alices):
    page = await alices.get(garden.url())

    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", [None, "", "0" * 64, "ü", "\x00"])
async def test_it_refuses_a_form_without_its_token(garden, alices, rows, token):
    page = await alices.get(garden.url())

    answer = await alices.send(page, form_token=token, decision="allow")

    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert await rows("SELECT count(*) FROM oauth_codes") == [(0,)]


async def test_it_refuses_the_page_of_somebody_else(garden, alices, mallorys):
    page = await mallorys.get(garden.url())

    assert (await alices.send(page, decision="allow")).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_it_refuses_a_form_from_elsewhere(garden, alices, headers):
    page = await alices.get(garden.url())

    assert (await alices.send(page, headers=headers, decision="allow")).status_code == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request", "client_id=x"),
        ("request", "\x00"),
        ("once", "0.x"),
        ("once", "x"),
        ("once", None),
        ("request", None),
    ],
)
async def test_it_refuses_a_form_that_was_changed(garden, alices, name, value):
    page = await alices.get(garden.url(scope="openid"))

    assert (await alices.send(page, decision="allow", **{name: value})).status_code == 403


async def test_more_cannot_be_let_in_than_was_shown(garden, alices):
    page = await alices.get(garden.url(scope="openid"))
    more = Form(page.text).fields["request"].replace("scope=openid", "scope=codes%3Awrite")

    assert (await alices.send(page, request=more, decision="allow")).status_code == 403


async def test_it_refuses_somebody_who_is_not_signed_in(garden, alices, browser):
    page = await alices.get(garden.url())
    browser.client.cookies.clear()

    assert (await browser.send(page, decision="allow")).status_code == 403


@pytest.mark.parametrize("body", [b"", b"\xff", b"a=1&a=2", b"{}", b"form_token=" + b"x" * 60_000])
async def test_it_refuses_what_is_no_form(alices, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await alices.client.post("/oauth/consent", content=body, headers=headers)

    assert answer.status_code == 403


async def test_a_page_is_good_once(garden, alices, rows):
    page = await alices.get(garden.url())
    await alices.send(page, decision="allow")

    again = await alices.send(page, decision="allow")

    assert again.status_code == 403
    assert "location" not in again.headers
    assert await rows("SELECT count(*) FROM oauth_codes") == [(1,)]


@pytest.mark.both_databases
async def test_a_page_sent_ten_times_at_once_makes_one_code(garden, alices):
    page = await alices.get(garden.url())

    answers = await asyncio.gather(*(alices.send(page, decision="allow") for _ in range(10)))

    assert Counter(answer.status_code for answer in answers) == {303: 1, 403: 9}


async def test_a_page_is_good_for_ten_minutes(garden, alices, clock):
    page = await alices.get(garden.url())
    clock.forward(minutes=10, seconds=2)

    assert (await alices.send(page, decision="allow")).status_code == 403


async def test_a_person_is_asked_once(garden, alices):
    await garden.let_in(alices, "openid referrals:read")

    assert "code" in answer_of(await alices.get(garden.url(scope="openid referrals:read")))
    assert "code" in answer_of(await alices.get(garden.url(scope="openid", prompt="none")))


async def test_a_person_is_asked_again_for_more(garden, alices):
    await garden.let_in(alices, "openid")

    page = await alices.get(garden.url(scope="openid email"))
    assert page.status_code == 200
    await alices.send(page, decision="allow")

    assert "code" in answer_of(await alices.get(garden.url(scope="openid email")))


async def test_a_no_takes_back_nothing_and_gives_nothing(garden, alices):
    await garden.let_in(alices, "openid")
    await alices.send(await alices.get(garden.url(scope="openid email")), decision="deny")

    assert (await alices.get(garden.url(scope="openid email"))).status_code == 200
    assert "code" in answer_of(await alices.get(garden.url(scope="openid")))


async def test_a_person_is_asked_again_when_the_app_says_so(garden, alices):
    await garden.let_in(alices, "openid")

    assert (await alices.get(garden.url(scope="openid", prompt="consent"))).status_code == 200


async def test_one_persons_yes_is_not_anothers(garden, alices, mallorys):
    await garden.let_in(alices, "openid")

    assert (await mallorys.get(garden.url(scope="openid"))).status_code == 200


async def test_what_runs_on_a_machine_is_asked_about_each_time(pocket, alices):
    """Any program can listen there and call itself Pocket (RFC 8252 §8.6)."""
    await pocket.let_in(alices, "openid")

    assert (await alices.get(pocket.url(scope="openid"))).status_code == 200
    assert (
        answer_of(await alices.get(pocket.url(scope="openid", prompt="none")))["error"] == "consent_required"
    )


async def test_the_name_of_an_app_is_text(app, api, alices):
    from third_party import register_app

    evil = await register_app(app, api, "https://evil.example/cb", name='<script>alert("x")</script>')

    page = await alices.get(evil.url())

    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
