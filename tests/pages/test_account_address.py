"""GET and POST /account/address: the way to another address, from the page to the letter and back."""

import re

import pytest

from pages.pressing import press
from people import PASSWORD
from third_party import Browser

pytestmark = pytest.mark.one_database

PAGE = "/account/address"


@pytest.fixture
async def at_home(browser: Browser, alice) -> Browser:
    """Alice's browser, signed in."""
    await browser.sign_in(alice)
    return browser


async def send(browser, **fields):
    return await press(browser, PAGE, PAGE, **fields)


def wrong(page):
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))


async def test_another_address_is_asked_for_and_taken(at_home, alice, post):
    assert f'href="{PAGE}"' in (await at_home.get("/account")).text

    asked = await send(at_home, email=" alice@elsewhere.example ", password=PASSWORD)
    assert asked.status_code == 200
    assert "sent an e-mail to <strong" in asked.text
    assert (await alice.get("/api/v1/me")).json()["email"] == alice.email

    (letter,) = await post(to="alice@elsewhere.example")
    taken = await at_home.client.post(
        "/confirm-email", data={"token": letter.token}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert "Your address has been changed" in taken.text
    assert (await alice.get("/api/v1/me")).json()["email"] == "alice@elsewhere.example"


@pytest.mark.parametrize(
    ("fields", "status", "name", "words"),
    [
        ({}, 422, "email", "fill this in"),
        ({"email": '"><b>@x', "password": PASSWORD}, 422, "email", "valid e-mail address"),
        ({"email": "new@example.com"}, 422, "password", "fill this in"),
        ({"email": "new@example.com", "password": "x"}, 403, "password", "Wrong password"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(at_home, fields, status, name, words, rows):
    answer = await send(at_home, **fields)

    assert answer.status_code == status
    assert words in wrong(answer)[name]
    assert "<b>" not in answer.text
    assert PASSWORD not in answer.text
    if "@example" in fields.get("email", ""):
        assert 'value="new@example.com"' in answer.text
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'change_email'") == [(0,)]


async def test_an_address_that_somebody_has_is_answered_alike(at_home, bob):
    answers = [
        (await send(at_home, email=email, password=PASSWORD)).text.replace(email, "")
        for email in (bob.email, "nobody@example.com")
    ]

    assert answers[0] == answers[1]


async def test_a_form_is_good_for_one_session_and_from_here(at_home, mallory, app, rows):
    fields = {"email": "new@example.com", "password": PASSWORD, "form_token": "0" * 64}
    assert (await send(at_home, **fields)).status_code == 403
    del fields["form_token"]
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await press(at_home, PAGE, PAGE, headers=foreign, **fields)).status_code == 403
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'change_email'") == [(0,)]


async def test_who_is_signed_out_is_asked_to_sign_in(browser, api):
    for answer in (await browser.get(PAGE), await send(browser, email="a@example.com", password="x")):
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=%2Faccount%2Faddress"
