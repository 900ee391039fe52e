"""Alice's own pages by clicking: a code made, copied, shown and deleted; and all of them for everybody."""

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, ZOOMED, look_over
from people import PASSWORD


def signed_in(page: Page, home: str, name: str) -> None:
    page.goto(f"{home}/sign-in")
    page.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Invite friends to Goodword")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_code_is_made_handed_out_and_deleted(visiting, served, api, scripts):
    name = f"Alice{scripts}"
    api.join(name)
    page = visiting(java_script_enabled=scripts, permissions=["clipboard-read", "clipboard-write"])
    if scripts:  # as on a phone
        page.add_init_script(
            "navigator.canShare = () => true; navigator.share = async (what) => { shared = what; };"
        )
    signed_in(page, served.url, name)

    page.get_by_text("Custom code, term and limit").click()
    page.get_by_label("Custom code").fill("a")
    page.get_by_role("button", name="Create my link").click()
    expect(page.get_by_label("Custom code")).to_have_accessible_description(
        "4 to 32 Latin letters, digits and hyphens. Leave empty for a random code. "
        "Use 4 to 32 Latin letters, digits and hyphens, with at least four letters or digits."
    )
    page.get_by_label("Custom code").fill(f"SPRING-{scripts}")
    page.get_by_label("Valid for").select_option("1 week")
    page.get_by_role("button", name="Create my link").click()

    banner = page.get_by_role("status").filter(has_text="Your link is ready")
    expect(banner).to_be_focused()
    link = f"{served.url}/r/SPRING-{scripts}"
    expect(page.get_by_role("link", name=link)).to_be_visible()
    page.goto(served.url)
    assert page.get_by_alt_text("Your link as a QR code").evaluate("one => one.naturalWidth") > 100
    copy = page.get_by_text("Copy link")
    if scripts:
        copy.click()
        expect(page.get_by_text("Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == link
        page.get_by_role("button", name="Share…").click()
        assert page.evaluate("shared.url") == link
    else:
        expect(copy).to_be_hidden()
        expect(page.get_by_text("Share…")).to_be_hidden()
    page.get_by_label("Your friend’s e-mail address").fill("friend@example.com")
    page.get_by_role("button", name="Send e-mail").click()
    expect(page.get_by_text("the e-mail is on its way")).to_be_focused()
    page.get_by_text("More options").click()
    page.get_by_text("Delete this code").click()
    page.get_by_role("button", name="Delete SPRING").click()
    expect(page.get_by_text("The code has been deleted.")).to_be_focused()
    expect(page.get_by_role("button", name="Create my link")).to_be_visible()


def test_the_keyboard_alone_is_enough(visiting, served, api):
    """Along the skip link, the sections and the account menu, which Escape closes."""
    api.join("Kim")
    page = visiting(viewport=DESKTOP)
    signed_in(page, served.url, "Kim")

    def focused() -> str:
        return page.evaluate("document.activeElement.innerText").strip()

    page.keyboard.press("Tab")
    assert focused() == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.goto(f"{served.url}/people")
    for name in ("Skip to content", "Goodword", "Invite", "Referrals"):
        page.keyboard.press("Tab")
        assert focused() == name
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Sign out")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused() == "Account"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Profile")


def everywhere(page: Page, home: str):
    """Yield every page of a signed-in user, with everything unfolded, and the refused forms."""
    account = ("/account", "/account/security", "/account/apps", "/account/data", "/account/address")
    for path in ("/", "/people", *account):
        yield page.goto(home + path)
        yield page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("form[action$='/account/address']").evaluate("one => one.noValidate = true")
    yield page.locator("form[action$='/account/address'] button.main").click()
    page.goto(f"{home}/account/security")
    page.locator("#new_password").fill("short")
    page.locator("#current_password").fill("x")
    yield page.locator("form[action$='/account/password'] button.main").click()
    page.goto(f"{home}/")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("#max_uses").fill("many")
    yield page.locator("form:has(#max_uses) > button").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, ZOOMED, DESKTOP], ids=["phone", "zoomed", "desktop"])
def test_every_page_can_be_used_by_all(visiting, served, api, scheme, size):
    name = f"Judy{scheme}{size['width']}"
    token = api.join(name)
    code = api.make_code(token, f"JUDY-{scheme}-{size['width']}")["code"]
    api.post("/api/v1/me/referral-codes", {"lifetime": 604800, "active": False}, token)
    friend = {"email": f"friend-of-{name.lower()}@example.com", "password": PASSWORD, "referral_code": code}
    api.post("/api/v1/users", friend | {"first_name": "Wolfeschlegelsteinhausenbergerdorff" * 2})
    page = visiting(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    signed_in(page, served.url, name)
    if scheme == "dark":
        page.get_by_role("button", name="Русский").click()

    for _ in everywhere(page, served.url):
        look_over(page)
