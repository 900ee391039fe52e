"""The whole story by clicking: Alice hands out a code, Bob joins by it, she sees him, and Carol comes too late."""

from itertools import count

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE
from people import PASSWORD

NUMBERS = count(1)


def title(page: Page):
    return expect(page.get_by_role("heading", level=1))


def sign_up(page: Page, name: str, number: int) -> str:
    """Fill in the form that the page shows; the address that was given."""
    email = f"{name.lower()}{number}@example.com"
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    title(page).to_have_text("Check your e-mail")
    return email


def verify(page: Page, link: str) -> None:
    page.goto(link)
    pasted = page.get_by_label("Link from the e-mail")
    if pasted.is_visible():  # without scripts
        pasted.fill(link)
    page.get_by_role("button", name="Confirm address").click()
    title(page).to_have_text("Your address has been confirmed")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_alice_bob_and_carol(visiting, served, api, size, scripts):
    alice, bob, carol = (visiting(viewport=size, java_script_enabled=scripts) for _ in range(3))
    number = next(NUMBERS)

    alice.goto(served.url)
    alice.get_by_role("link", name="Sign up").click()
    verify(alice, api.letter(sign_up(alice, "Alice", number), "verify_email").link)
    alice.get_by_role("link", name="Continue").click()
    alice.get_by_text("Custom code, term and limit").click()
    alice.get_by_label("Valid for").select_option("1 month")
    alice.get_by_label("How many friends can use it").fill("3")
    alice.get_by_role("button", name="Create my link").click()
    alice.get_by_role("link", name="Add your name").click()
    alice.get_by_label("First name").fill("Alice")
    alice.get_by_role("button", name="Save").click()
    alice.get_by_role("link", name="Invite").click()
    link = alice.locator(f"a[href^='{served.url}/r/']").inner_text()

    bob.goto(link)
    title(bob).to_have_text("Alice invites you to Goodword")
    verify(bob, api.letter(sign_up(bob, "Bob", number), "verify_email").link)
    bob.goto(f"{served.url}/account")
    bob.get_by_label("First name").fill("Bob")
    bob.get_by_role("button", name="Save").click()

    alice.get_by_role("link", name="Referrals").click()
    friend = alice.get_by_role("listitem").filter(has_text="Bob")
    expect(friend).to_contain_text("confirmed")
    expect(friend).not_to_contain_text(f"bob{number}@")
    alice.get_by_role("link", name="Invite").click()
    expect(alice.get_by_text("1 of 3")).to_be_visible()
    alice.get_by_text("More options").click()
    alice.get_by_text("Delete this code").click()
    alice.get_by_role("button", name="Delete ").click()
    expect(alice.get_by_text("The code has been deleted.")).to_be_visible()

    carol.goto(link)
    title(carol).to_have_text("This invitation is no longer valid")
    carol.get_by_role("link", name="Sign up without a code").click()
    carol.get_by_text("Have a referral code?").click()
    carol.get_by_label("Referral code").fill(link.rpartition("/")[2])
    carol.get_by_label("E-mail address").fill(f"carol{number}@example.com")
    carol.get_by_label("Password", exact=True).fill(PASSWORD)
    carol.get_by_role("button", name="Sign up").click()
    expect(carol.get_by_label("Referral code")).to_have_accessible_description(
        "This referral code is not valid. Check it, or ask your friend for another."
    )
    assert api.rows(f"SELECT 1 FROM users WHERE email = 'carol{number}@example.com'") == []

    alice.get_by_role("link", name="Referrals").click()
    expect(alice.get_by_role("listitem").filter(has_text="Bob")).to_contain_text("confirmed")


def test_going_back_after_signing_out_shows_nothing(visiting, served):
    page = visiting()
    page.goto(f"{served.url}/sign-up")
    email = sign_up(page, "Olivia", 1)
    page.goto(f"{served.url}/account")
    expect(page.get_by_role("main")).to_contain_text(email)
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    title(page).to_have_text("Welcome to Goodword")

    page.go_back()

    title(page).to_have_text("Sign in")
    expect(page.get_by_role("main")).not_to_contain_text(email)


def test_a_second_tab_of_somebody_else_is_found_out(visiting, served):
    """The form of one account, sent with the cookie of another: nobody acts in another's name unawares."""
    page = visiting()
    page.goto(f"{served.url}/sign-up")
    sign_up(page, "Peggy", 1)
    page.goto(f"{served.url}/account")
    other = page.context.new_page()
    other.goto(f"{served.url}/sign-up")
    other.get_by_role("button", name="Sign out and join with another address").click()
    sign_up(other, "Quentin", 1)

    page.get_by_label("First name").fill("Mallory")
    page.get_by_role("button", name="Save").click()

    title(page).to_have_text("Form rejected")
    other.goto(f"{served.url}/account")
    expect(other.get_by_label("First name")).to_have_value("")
