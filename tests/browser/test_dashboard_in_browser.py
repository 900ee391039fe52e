"""Alice's own pages by clicking: a code made, copied, shown and deleted; and all of them for everybody."""

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, look_over
from people import PASSWORD


def signed_in(page: Page, home: str, name: str) -> None:
    page.goto(f"{home}/sign-in")
    page.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your code")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_code_is_made_handed_out_and_deleted(visiting, served, api, scripts):
    name = f"Alice{scripts}"
    api.join(name)
    page = visiting(java_script_enabled=scripts, permissions=["clipboard-read", "clipboard-write"])
    signed_in(page, served.url, name)

    page.get_by_label("Custom code").fill("a")
    page.get_by_role("button", name="Create code").click()
    expect(page.get_by_label("Custom code")).to_have_accessible_description(
        "4 to 32 Latin letters, digits and hyphens. Leave empty and we generate one. "
        "Use 4 to 32 Latin letters, digits and hyphens, with at least four letters or digits."
    )
    page.get_by_label("Custom code").fill(f"SPRING-{scripts}")
    page.get_by_label("Valid for").select_option("1 week")
    page.get_by_role("button", name="Create code").click()

    link = f"{served.url}/r/SPRING-{scripts}"
    expect(page.get_by_role("link", name=link)).to_be_visible()
    page.reload()
    assert page.get_by_alt_text("Your link as a QR code").evaluate("one => one.naturalWidth") > 100
    copy = page.get_by_text("Copy link")
    if scripts:
        copy.click()
        expect(page.get_by_role("status")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == link
    else:
        expect(copy).to_be_hidden()
    page.get_by_text("Delete this code").click()
    page.get_by_role("button", name="Delete SPRING").click()
    expect(page.get_by_text("You have no active referral code.")).to_be_visible()


def everywhere(page: Page, home: str):
    """Yield every page of a signed-in user, with everything unfolded, and the refused forms."""
    for path in ("/", "/people", "/account", "/account/address"):
        yield page.goto(home + path)
        yield page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("form[action$='/account/address']").evaluate("one => one.noValidate = true")
    yield page.locator("form[action$='/account/address'] button").click()
    page.goto(f"{home}/account")
    page.locator("#new_password").fill("short")
    page.locator("#current_password").fill("x")
    yield page.locator("form[action$='/account/password'] button").click()
    page.goto(f"{home}/")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("#max_uses").fill("many")
    yield page.locator("form:has(#max_uses) button").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
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
