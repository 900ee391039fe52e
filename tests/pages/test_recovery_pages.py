"""The pages that the links of letters lead to: looking changes nothing, sending does (case B24)."""

import pytest

from people import PASSWORD, make_code, referrals_of, register, sign_in

pytestmark = pytest.mark.one_database

BANNER = '<p class="banner" role="status" tabindex="-1" autofocus>'
NEW = "eight lanterns in the valley"


async def letter_of(post, person, kind):
    found = [letter for letter in await post(to=person) if letter.kind == kind]
    return found[-1]


@pytest.fixture
async def asked(api, alice, post):
    """The letters that Alice has got, each still unanswered."""
    verify = await letter_of(post, alice.email, "verify_email")
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    reset = await letter_of(post, alice.email, "reset_password")
    await alice.post("/api/v1/me/email-changes", {"email": "alice@example.org", "password": PASSWORD})
    change = (await post(to="alice@example.org"))[0]
    return {"/verify-email": verify, "/reset-password": reset, "/confirm-email": change}


@pytest.mark.parametrize("path", ["/verify-email", "/reset-password", "/confirm-email"])
async def test_a_scanner_that_follows_the_link_changes_nothing(browser, alice, asked, path, rows):
    token = asked[path].token
    state = "SELECT email, verified_at, password_hash FROM users"
    before = await rows(state)

    for url in (path, f"{path}?token={token}", f"{path}?token={token}&password={NEW}"):
        assert (await browser.get(url)).status_code == 200
        assert (await browser.client.head(url)).status_code in (200, 405)

    assert await rows(state) == before
    answer = await browser.send(
        await browser.get(path), token=token, **({"password": NEW} if "reset" in path else {})
    )
    assert answer.status_code == 200
    assert await rows(state) != before


@pytest.mark.parametrize("how", ["token", "link", "blanks"])
async def test_the_token_or_the_whole_link_is_taken(browser, alice, asked, how):
    letter = asked["/verify-email"]
    text = {"token": letter.token, "link": letter.link, "blanks": f"  {letter.link}\n"}[how]

    answer = await browser.send(await browser.get("/verify-email"), token=text)

    assert answer.status_code == 200
    assert "Your address has been confirmed" in answer.text
    assert (await alice.get("/api/v1/me")).json()["email_verified"] is True


async def test_a_friend_counts_from_then_on(browser, alice, api, post):
    code = await make_code(alice)
    await register(api, "bob", referral_code=code["code"])
    letter = await letter_of(post, "bob@example.com", "verify_email")

    await browser.send(await browser.get("/verify-email"), token=letter.token)

    assert [one["status"] for one in await referrals_of(alice)] == ["confirmed"]


async def test_a_form_that_is_sent_twice_does_no_harm(browser, alice, asked):
    page = await browser.get("/verify-email")
    first, second = [await browser.send(page, token=asked["/verify-email"].token) for _ in range(2)]

    assert first.status_code == 200
    assert second.status_code == 200
    assert "already confirmed" in second.text
    assert [BANNER in page.text for page in (first, second)] == [True, True]
    assert (await alice.get("/api/v1/me")).json()["email_verified"] is True


@pytest.mark.parametrize("path", ["/verify-email", "/reset-password", "/confirm-email"])
@pytest.mark.parametrize("token", ["", "x", "<script>", "\x00", "gwv_" + "a" * 43, "a" * 3000, "é%(x)s"])
async def test_a_wrong_token_is_refused_kindly(browser, api, path, token):
    answer = await browser.send(await browser.get(path), token=token, password=NEW)

    assert answer.status_code in (400, 422)
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text


async def test_a_forgotten_password_is_replaced(browser, alice, api, post):
    page = await browser.get("/forgot-password")
    answer = await browser.send(page, email=f" {alice.email} ")
    assert answer.status_code == 200
    letter = await letter_of(post, alice.email, "reset_password")
    form = await browser.get("/reset-password")

    refused = await browser.send(form, token=letter.token, password="short")
    assert refused.status_code == 422
    assert "at least 8 characters" in refused.text
    assert f'value="{letter.token}"' in refused.text
    assert "autofocus" in refused.text
    assert "short" not in refused.text
    done = await browser.send(refused, password=NEW)

    assert "Your password has been changed" in done.text
    assert [BANNER in page.text for page in (answer, refused, done)] == [True, False, True]
    assert (await sign_in(api, alice.email, PASSWORD)).status_code == 401
    assert (await sign_in(api, alice.email, NEW)).status_code == 201


async def test_asking_says_the_same_of_every_address(browser, alice):
    page = await browser.get("/forgot-password")

    answers = [await browser.send(page, email=email) for email in (alice.email, "nobody@example.com")]

    assert (
        len({answer.text.replace(alice.email, "").replace("nobody@example.com", "") for answer in answers})
        == 1
    )
    assert answers[0].status_code == 200


@pytest.mark.parametrize("email", ["", "nonsense", "<b>@example.com"])
async def test_what_is_no_address_is_said_beside_the_field(browser, api, email, rows):
    answer = await browser.send(await browser.get("/forgot-password"), email=email)

    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert "<b>" not in answer.text
    assert await rows("SELECT count(*) FROM jobs WHERE kind = 'reset_password'") == [(0,)]


async def test_another_address_is_taken(browser, alice, asked):
    answer = await browser.send(await browser.get("/confirm-email"), token=asked["/confirm-email"].token)

    assert "Your address has been changed" in answer.text
    assert BANNER in answer.text
    assert (await alice.get("/api/v1/me")).json()["email"] == "alice@example.org"


async def test_an_address_that_was_taken_meanwhile_is_refused(browser, alice, api, asked):
    assert (await register(api, "alice", email="alice@example.org")).status_code == 201

    answer = await browser.send(await browser.get("/confirm-email"), token=asked["/confirm-email"].token)

    assert answer.status_code == 400
    assert (await alice.get("/api/v1/me")).json()["email"] == alice.email
