"""Alice, Bob and Carol by clicking: a link, a phone, a letter, and a link that is dead."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, ZOOMED, look_over

PASSWORD = "quiet otters swim at dawn"
SIZES = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])


@pytest.mark.parametrize(
    ("size", "scripts"),
    [(PHONE, True), (DESKTOP, True), (ZOOMED, True), (PHONE, False)],
    ids=["phone", "desktop", "zoomed", "phone_without_scripts"],
)
def test_bob_joins_by_alices_link_and_carol_comes_too_late(visiting, served, api, size, scripts):
    name = f"W{size['width']}{'js' if scripts else ''}"
    alice = api.join(f"Alice{name}")
    code = api.make_code(alice, f"ALICE-{name}-2026")
    bob, email = visiting(viewport=size, java_script_enabled=scripts), f"bob{name.lower()}@example.com"

    bob.goto(code["link"])
    expect(bob.get_by_role("heading", level=1)).to_have_text(f"Alice{name} invites you to Goodword")
    bob.get_by_label("E-mail address").fill(email)
    bob.get_by_label("Password", exact=True).fill("password123")
    bob.get_by_role("button", name="Sign up").click()
    expect(bob.get_by_role("alert")).to_be_visible()
    expect(bob.get_by_text("code is applied")).to_be_visible()
    expect(bob.get_by_label("Password", exact=True)).to_be_focused()
    expect(bob.get_by_label("Password", exact=True)).to_have_accessible_description(
        re.compile("This password is too common")
    )
    expect(bob.get_by_label("E-mail address")).to_have_value(email)
    bob.get_by_label("Password", exact=True).fill(PASSWORD)
    bob.get_by_role("button", name="Sign up").click()
    expect(bob.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    expect(bob.get_by_text(email)).to_be_visible()

    letter = api.letter(email, "verify_email")
    bob.goto(letter.link)
    assert api.rows(f"SELECT verified_at FROM users WHERE email = '{email}'") == [(None,)]
    pasted = bob.get_by_label("Link from the e-mail")
    if scripts:
        expect(pasted).to_be_hidden()
    else:
        pasted.fill(letter.link)
    bob.get_by_role("button", name="Confirm address").click()
    expect(bob.get_by_role("heading", level=1)).to_have_text("Your address has been confirmed")
    if scripts:
        look_over(bob)
    assert api.rows(f"SELECT verified_at IS NULL FROM users WHERE email = '{email}'") == [(0,)]
    bob.get_by_role("link", name="Continue").click()
    expect(bob.get_by_role("heading", level=1)).to_have_text("Invite friends to Goodword")
    bob.locator(".menu summary").click()
    bob.get_by_role("button", name="Sign out").click()
    expect(bob.get_by_role("heading", level=1)).to_have_text("Welcome to Goodword")

    carol = visiting(viewport=size, java_script_enabled=scripts)
    api.post(f"/api/v1/me/referral-codes/{code['code']}", {}, alice, method="DELETE")
    carol.goto(code["link"])
    expect(carol.get_by_role("heading", level=1)).to_have_text("This invitation is no longer valid")
    carol.get_by_role("link", name="Sign up without a code").click()
    carol.get_by_label("E-mail address").fill(f"carol{name.lower()}@example.com")
    carol.get_by_label("Password", exact=True).fill(PASSWORD)
    carol.get_by_role("button", name="Sign up").click()
    expect(carol.get_by_role("heading", level=1)).to_have_text("Check your e-mail")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
def test_a_forgotten_password(visiting, served, api, scripts):
    name = "dora" if scripts else "dan"
    api.join(name.title())
    page = visiting(java_script_enabled=scripts)

    page.goto(f"{served.url}/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_role("button", name="Send e-mail").click()
    expect(page.get_by_role("status")).to_contain_text("we sent an e-mail to it")
    if scripts:
        look_over(page)
    letter = api.letter(f"{name}@example.com", "reset_password")
    page.goto(letter.link)
    if not scripts:
        page.get_by_label("Link from the e-mail").fill(letter.link)
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("New password")).to_be_focused()
    page.get_by_label("New password").fill("eight lanterns in the valley")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your password has been changed")
    if scripts:
        look_over(page)


def test_the_token_survives_another_language(visiting, api):
    api.join("Erin")
    page = visiting()

    page.goto(api.letter("erin@example.com", "verify_email").link)
    page.get_by_role("button", name="Русский").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Подтверждение адреса")
    expect(page.get_by_label("Ссылка из письма")).to_be_hidden()
    page.get_by_role("button", name="Подтвердить адрес").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Адрес подтверждён")


def test_times_are_those_of_the_reader(visiting, api):
    code = api.make_code(api.join("Frank"), "FRANKS-TIME")
    ends = datetime.fromisoformat(code["expires_at"])

    for locale, day in (("en-US", "%d %b %Y"), ("ru-RU", "%d.%m.%Y")):
        plain = visiting(locale=locale, java_script_enabled=False)
        tokyo = visiting(locale=locale, timezone_id="Asia/Tokyo")
        for page in (plain, tokyo):
            page.goto(code["link"])

        expect(plain.locator("time")).to_have_text(f"{ends:{day}, %H:%M} UTC")
        there = tokyo.locator("time")
        expect(there).to_have_text(f"{ends + timedelta(hours=9):{day}, %H:%M} GMT+9")
        expect(there).to_have_attribute("title", f"{ends:%Y-%m-%d %H:%M:%S} UTC")


def test_a_button_that_is_pressed_twice_sends_once(visiting, served, api):
    page = visiting()
    page.goto(f"{served.url}/sign-up")
    page.get_by_label("E-mail address").fill("grace@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)

    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.get_by_role("button", name="Sign up").evaluate(
        "one => { one.click(); setTimeout(() => one.click(), 1) }"
    )

    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    assert sent == [f"{served.url}/sign-up"]
    assert api.rows("SELECT count(*) FROM users WHERE email = 'grace@example.com'") == [(1,)]


def test_a_form_can_be_sent_again_after_stop(visiting, served):
    """The first answer does not come, and the person presses Stop and the button again."""
    page = visiting()
    page.goto(f"{served.url}/sign-up")
    page.get_by_label("E-mail address").fill("heidi@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    held = []
    page.route("**/sign-up", lambda route: held.append(route) if not held else route.continue_())

    page.get_by_role("button", name="Sign up").click(no_wait_after=True)
    while not held:
        page.wait_for_timeout(20)
    page.context.new_cdp_session(page).send("Page.stopLoading")
    page.get_by_role("button", name="Sign up").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")


def everywhere(page: Page, home: str, code: str):
    """Every page of a visitor in turn, in each of its states."""
    for path in ("/", "/sign-in", "/sign-up", "/forgot-password", "/reset-password", "/verify-email"):
        yield page.goto(home + path)
    for path in ("/confirm-email", "/unsubscribe?token=x", f"/r/{code}", "/r/NOSUCHCODE", "/nowhere"):
        yield page.goto(home + path)
    for path in ("/sign-up", "/sign-in", "/forgot-password", "/verify-email"):
        page.goto(home + path)
        page.evaluate("document.forms[0].noValidate = true")
        yield page.locator("main form button.main, main form button[type=submit]").first.click()
    page.goto(f"{home}/sign-up")
    page.locator("#email").fill(f"{page.evaluate('crypto.randomUUID()')}@example.com")
    page.locator("#password").fill(PASSWORD)
    yield page.locator("main form button.main, main form button[type=submit]").first.click()
    yield page.goto(f"{home}/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_all(visiting, served, api, scheme):
    code = api.make_code(api.join(f"Heidi{scheme}"), f"HEIDI-{scheme}")["code"]
    phone = visiting(color_scheme=scheme, reduced_motion="reduce", locale="ru" if scheme == "dark" else "en")
    for _ in everywhere(phone, served.url, code):
        look_over(phone)
    desktop = visiting(color_scheme=scheme, viewport=DESKTOP)
    for path in (f"/r/{code}", "/sign-in"):
        desktop.goto(served.url + path)
        look_over(desktop)


def test_a_form_can_be_filled_in_from_the_keyboard(visiting, served, api):
    page = visiting(viewport=DESKTOP)
    page.goto(f"{served.url}/sign-up")
    for _ in ("skip link", "brand", "code"):
        page.keyboard.press("Tab")
    for text in ("ivan@example.com", PASSWORD):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")  # to the button that shows the password
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")


def test_no_other_page_can_frame_ours(visiting, served):
    page = visiting()
    answer = page.goto(f"{served.url}/sign-up")

    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@SIZES
def test_what_a_finger_presses_is_large_enough(visiting, served, size):
    page = visiting(viewport=size)
    page.goto(f"{served.url}/sign-up")

    for element in page.locator("input:visible, button, .button").all():
        box = element.bounding_box()
        assert box["height"] >= 24  # WCAG 2.2, 2.5.8
        assert box["width"] >= 24
