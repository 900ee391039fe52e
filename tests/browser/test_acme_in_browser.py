"""Alice of examples/acme refers Bob: the embed of her page and the script that keeps the code, across origins."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from acme import acme, create_key
from browser.conftest import PHONE, look_over
from people import PASSWORD
from serving import free_port, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Run Acme beside a Goodword that allows the embed on its pages."""
    folder, port = tmp_path_factory.mktemp("acme"), free_port()
    with (
        serving(folder, EMBED_ORIGINS=f"http://127.0.0.1:{port}") as served,
        acme(folder, served.url, create_key(folder), port) as url,
    ):
        yield url


@pytest.fixture
def visitor(browser):
    """Return a page in a browser of another person. An error in its console fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def heard(text: str) -> None:
        if "the server responded with a status of 401" not in text:  # to a token that has expired
            wrong.append(text)

    def visit() -> Page:
        contexts.append(browser.new_context(locale="en-GB", viewport=PHONE))
        page = contexts[-1].new_page()
        page.on("console", lambda message: heard(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def join(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail address").fill(f"{name.split(maxsplit=1)[0].lower()}@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Welcome, {name}")


def test_alice_refers_friends_who_look_around_before_they_join(home, visitor):
    alice, bob, carol = visitor(), visitor(), visitor()
    alice.goto(f"{home}/join")
    join(alice, "Alice Liddell")
    alice.get_by_role("link", name="Refer friends").click()
    link = alice.get_by_label("Your link").input_value()

    bob.goto(link)  # to the form, which Bob leaves
    bob.goto(home)
    bob.get_by_role("link", name="Join Acme").click()
    join(bob, "Bob")
    expect(bob.get_by_text("Alice L. invited you")).to_be_visible()

    carol.goto(f"{home}/?ref={link.rpartition('/')[2]}")  # a link to another page of Acme
    carol.get_by_role("link", name="Join Acme").click()
    join(carol, "Carol")
    expect(carol.get_by_text("Alice L. invited you")).to_be_visible()

    alice.reload()
    expect(alice.get_by_text("Bob")).to_be_visible()
    expect(alice.get_by_text("Carol")).to_be_visible()
    look_over(alice)
    look_over(bob)


def test_a_page_that_outlives_its_token_gets_another(home, visitor):
    dave = visitor()
    dave.goto(f"{home}/join")
    join(dave, "Dave")
    dave.get_by_role("link", name="Refer friends").click()
    expect(dave.get_by_label("Your link")).to_be_visible()
    with dave.expect_request("**/refer/token"):
        dave.evaluate("document.querySelector('goodword-referral').setAttribute('token', 'too.old')")
    expect(dave.get_by_label("Your link")).to_be_visible()
