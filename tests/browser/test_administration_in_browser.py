"""An administrator's pages by clicking: somebody shut out; and all of them for everybody."""

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, look_over
from people import PASSWORD
from seed_data import give_past
from serving import goodword


@pytest.fixture(scope="module")
def rita(served):
    """An administrator, and what there is for her to see."""
    made = goodword(
        served.log.parent, "admin", "create", "rita@example.com", "--password-stdin", stdin=PASSWORD
    )
    assert made.returncode == 0, made.stderr
    return "rita@example.com"


def signed_in(page: Page, home: str, email: str) -> None:
    page.goto(f"{home}/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Invite friends to Goodword")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_administrator_shuts_somebody_out(visiting, served, api, rita, scripts):
    name = f"Mallory{scripts}"
    api.make_code(api.join(name), f"TRICK-{scripts}")
    page = visiting(java_script_enabled=scripts)
    signed_in(page, served.url, rita)

    page.get_by_role("link", name="Administration").click()
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_label("Address or name").fill(name[:-2].upper())
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("status")).to_have_text("The user is disabled and signed out everywhere.")
    expect(page.get_by_role("button", name="Enable")).to_be_visible()

    friend = visiting()
    friend.goto(f"{served.url}/r/TRICK-{scripts}")
    expect(friend.get_by_role("heading", level=1)).not_to_contain_text(name)
    friend.goto(f"{served.url}/sign-in")
    friend.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    friend.get_by_label("Password", exact=True).fill(PASSWORD)
    friend.get_by_role("button", name="Sign in").click()
    expect(friend.get_by_role("alert")).to_have_text("The e-mail address or password is wrong.")

    page.get_by_role("link", name="Erase …").click()
    page.get_by_label("Enter the user’s address to confirm").fill(f"{name}@example.com")
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Erased user")

    page.get_by_role("link", name="View events").click()
    expect(page.get_by_role("cell", name="Account disabled")).to_be_visible()
    page.get_by_label("Event").select_option("User erased")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("rita@example.com")


def everywhere(page: Page, home: str, user_id: str, friend_id: str):
    """Every page of administrators, with all that unfolds, and what was refused."""
    paths = ["", "/users", f"/users/{user_id}", f"/users/{user_id}/tree?depth=5", f"/users/{user_id}/erase"]
    paths += ["/users?q=nobody-is-this", "/users?q=%00", "/codes", "/codes?q=nothing", "/jobs"]
    for path in [*paths, "/audit", f"/audit?q={user_id}", "/audit?q=nobody-is-this", f"/users/{friend_id}"]:
        page.goto(f"{home}/admin{path}")
        yield page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.goto(f"{home}/admin/users/{user_id}/erase")
    page.locator("#email").fill("nobody@example.com")
    yield page.locator("form:has(#email) button").click()
    page.goto(f"{home}/admin/users/{friend_id}")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("#reason").fill(" \N{ZERO WIDTH SPACE} ")
    yield page.locator("form:has(#reason) button").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_can_be_used_by_all(visiting, served, api, rita, scheme, size):
    name = f"Alice{scheme}{size['width']}"
    code = api.make_code(api.join(name), f"ALICE-{scheme}-{size['width']}")["code"]
    email = f"{name.lower()}@example.com"
    give_past(served.log.parent, of=email, code=code, people=40)
    ((user_id,),) = api.rows(f"SELECT id FROM users WHERE email = '{email}'")
    friend = "SELECT referee_id FROM referrals JOIN users ON users.id = referrer_id WHERE users.email ="
    friend_id = api.rows(f"{friend} '{email}' LIMIT 1")[0][0]
    page = visiting(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    signed_in(page, served.url, rita)
    if scheme == "dark":
        page.get_by_role("button", name="Русский").click()

    for _ in everywhere(page, served.url, user_id, friend_id):
        look_over(page)
