"""Links of e-mails that scanners and messengers rewrite, and links as people paste them."""

import base64
import re
from urllib.parse import quote, urlsplit

import pytest

from pages.test_recovery_pages import NEW, asked, letter_of  # noqa: F401  a fixture
from people import make_code, register, sign_in
from sweeps import Sweep
from third_party import Form

pytestmark = pytest.mark.one_database


def proofpoint_2(link):
    """Return the link as URL Defense version 2 writes it (decoder of Proofpoint, urldecoder 2020)."""
    encoded = quote(link, safe="").replace("-", "%2D").replace("_", "%5F").replace("%2F", "_")
    return f"https://urldefense.proofpoint.com/v2/url?u={encoded.replace('%', '-')}&d=DwMFaQ&c=euGZ&r=x&m=y&s=z&e="


def proofpoint_3(link):
    """Return the link as URL Defense version 3 writes it: special characters are `*` and follow in base64."""
    packed = base64.urlsafe_b64encode(b"#=").decode().rstrip("=")
    return f"https://urldefense.com/v3/__{link.replace('#', '*').replace('=', '*')}__;{packed}!!KbQ!abc$"


PASTED = {
    "in brackets": lambda link: f"<{link}>",
    "with a full stop": lambda link: f"{link}.",
    "in quotes": lambda link: f"“{link}”,",
    "with a line break": lambda link: f"\n {link}\n",
    "with text": lambda link: f"Open {link} to verify",
    "encoded": lambda link: link.replace("#", "%23").replace("=", "%3D"),
    "Outlook": lambda link: (
        f"https://nam02.safelinks.protection.outlook.com/?url={quote(link, safe='')}&data=05%7C02&reserved=0"
    ),
    "Outlook twice": lambda link: (
        f"https://x.safelinks.protection.outlook.com/?url={quote(quote(link, safe=''), safe='')}"
    ),
    "Google": lambda link: f"https://www.google.com/url?q={quote(link, safe='')}&sa=D&source=gmail",
    "Proofpoint 2": proofpoint_2,
    "Proofpoint 3": proofpoint_3,
}
ARRIVING = {
    "%23": lambda path, token: f"{path}%23token={token}",
    "all encoded": lambda path, token: f"{path}%23token%3D{token}",
    "encoded twice": lambda path, token: f"{path}%2523token%253D{token}",
    "a slash": lambda path, token: f"{path}/%23token={token}",
    "a query": lambda path, token: f"{path}?token={token}&utm_source=mail",
    "a bracket": lambda path, token: f"{path}%23token={token}%3E.",
}


@pytest.mark.parametrize("path", ["/verify-email", "/reset-password", "/confirm-email"])
@pytest.mark.parametrize("arrive", ARRIVING.values(), ids=ARRIVING)
async def test_a_fragment_that_arrives_in_the_path_is_taken(browser, alice, asked, path, arrive):  # noqa: F811
    page = await browser.get(arrive(path, asked[path].token))
    assert page.status_code == 200
    assert Form(page.text).fields["token"] == asked[path].token

    answer = await browser.send(page, **({"password": NEW} if "reset" in path else {}))

    assert answer.status_code == 200
    assert "<title>Error" not in answer.text


@pytest.mark.parametrize("path", ["/verify-emails", "/verify-email/x", "/reset-password.", "/unsubscribex"])
async def test_another_path_is_not_found(browser, path):
    assert (await browser.get(path)).status_code == 404


@pytest.mark.parametrize("write", PASTED.values(), ids=PASTED)
async def test_a_pasted_link_is_taken_by_the_page(browser, alice, asked, write):  # noqa: F811
    text = write(asked["/verify-email"].link)

    answer = await browser.send(await browser.get("/verify-email"), token=text)

    assert "Your address has been confirmed" in answer.text
    assert (await alice.get("/api/v1/me")).json()["email_verified"] is True


async def test_a_pasted_link_is_taken_by_the_api(api, alice, post, rows):
    with Sweep() as sweep:
        for number, (name, write) in enumerate(PASTED.items()):
            if name == "with a line break":  # no control characters in JSON
                continue
            with sweep.case(name):
                email = f"friend{number}@example.com"
                await register(api, f"friend{number}")
                link = (await letter_of(post, email, "verify_email")).link
                answer = await api.post("/api/v1/email-verifications/confirm", json={"token": write(link)})
                assert answer.status_code == 204, answer.text


async def test_pasted_links_of_the_reset_and_the_change_are_taken_by_the_api(api, alice, asked):  # noqa: F811
    outlook = PASTED["Outlook"]
    body = {"token": outlook(asked["/confirm-email"].link)}
    assert (await api.post("/api/v1/me/email-changes/confirm", json=body)).status_code == 204
    await api.post("/api/v1/password-resets", json={"email": "alice@example.org"})


async def test_a_pasted_link_resets_the_password(api, alice, asked):  # noqa: F811
    body = {"token": proofpoint_2(asked["/reset-password"].link), "password": NEW}

    assert (await api.post("/api/v1/password-resets/confirm", json=body)).status_code == 204
    assert (await sign_in(api, alice.email, NEW)).status_code == 201


async def test_a_rewritten_link_unsubscribes(browser, api, alice, post):
    for number, write in enumerate(
        (
            lambda path: path.replace("?", "%3F"),
            lambda path: f"{path}%3E.",
            lambda path: path.replace("?", "%3F").replace("=", "%3D"),
        )
    ):
        await make_code(alice) if number == 0 else None
        email = f"friend{number}@example.org"
        await alice.post("/api/v1/me/invitations", {"email": email})
        link = re.search(r"https?://\S+/unsubscribe\?token=\S+", (await post(to=email))[-1].text)[0]
        path = write(urlsplit(link)._replace(scheme="", netloc="").geturl())

        page = await browser.get(path)
        assert page.status_code == 200
        assert "You have unsubscribed" in (await browser.send(page)).text
        one_click = await browser.client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert one_click.status_code == 200
        body = {"token": PASTED["Google"](link)}
        assert (await api.post("/api/v1/unsubscribes", json=body)).status_code in (200, 202, 204)


async def test_a_verification_link_used_twice_is_not_an_error(browser, api, alice, asked):  # noqa: F811
    token = asked["/verify-email"].token
    for said in ("Your address has been confirmed", "Your address is already confirmed"):
        answer = await browser.send(await browser.get("/verify-email"), token=token)
        assert answer.status_code == 200
        assert f"<h1>{said}</h1>" in answer.text
    again = await api.post("/api/v1/email-verifications/confirm", json={"token": token})
    assert (again.status_code, again.json()["code"]) == (400, "token_invalid")

    for _ in range(2):
        answer = await browser.send(await browser.get("/confirm-email"), token=asked["/confirm-email"].token)
        assert (answer.status_code, "has been changed" in answer.text) == (200, True)
    old = await browser.send(await browser.get("/verify-email"), token=token)
    assert old.status_code == 400, "the account has another address now"


async def test_a_dead_verification_link_offers_a_new_one(browser, alice, asked, clock, post):  # noqa: F811
    clock.forward(hours=25)
    dead = await browser.send(await browser.get("/verify-email"), token=asked["/verify-email"].token)
    assert dead.status_code == 400
    assert 'action="/verify-email/again"' in dead.text

    await post()
    for email in (alice.email, "nobody@example.com"):
        answer = await browser.send(dead, email=email)
        assert answer.status_code == 200
        assert f'<strong class="address">{email}</strong>' in answer.text
    token = (await letter_of(post, alice.email, "verify_email")).token
    answer = await browser.send(await browser.get("/verify-email"), token=token)
    assert "Your address has been confirmed" in answer.text
