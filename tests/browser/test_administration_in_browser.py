"""An administrator's pages by clicking: somebody shut out; and all of them for everybody."""

import re
from pathlib import Path

import pytest
from coloraide import Color
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, PHONE, ZOOMED, look_over
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
    page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator("form:has(#password) button[type=submit]").click()
    page.wait_for_url(f"{home}/admin")


@pytest.mark.parametrize("scripts", [True, False])
def test_an_administrator_shuts_somebody_out(visiting, served, api, rita, scripts):
    name = f"Mallory{scripts}"
    api.make_code(api.join(name), f"TRICK-{scripts}")
    page = visiting(java_script_enabled=scripts)
    signed_in(page, served.url, rita)

    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_label("E-mail or name").fill(name[:-2].upper())
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Disable account of").click()
    expect(page.get_by_role("status")).to_have_text("The user is disabled and signed out everywhere.")
    expect(page.get_by_role("button", name="Enable account of")).to_be_visible()

    friend = visiting()
    friend.goto(f"{served.url}/r/TRICK-{scripts}")
    expect(friend.get_by_role("heading", level=1)).not_to_contain_text(name)
    friend.goto(f"{served.url}/sign-in")
    friend.get_by_label("E-mail address").fill(f"{name.lower()}@example.com")
    friend.get_by_label("Password", exact=True).fill(PASSWORD)
    friend.get_by_role("button", name="Sign in").click()
    expect(friend.get_by_role("alert")).to_have_text("The e-mail address or password is wrong.")

    page.get_by_role("link", name="Erase account of").click()
    page.get_by_label("Enter the user’s address to confirm").fill(f"{name}@example.com")
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Erased user")

    page.get_by_role("link", name="View events").click()
    expect(page.locator("summary", has_text="Account disabled")).to_be_visible()
    page.get_by_label("Event").select_option("User erased")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("rita@example.com")


def everywhere(page: Page, home: str, user_id: str, friend_id: str):
    """Every page of administrators, with all that unfolds, and what was refused."""
    paths = ["", "/users", f"/users/{user_id}", f"/users/{user_id}/tree?depth=5", f"/users/{user_id}/erase"]
    paths += ["/users?q=nobody-is-this", "/users?q=%00&from=x", "/users?size=100&sort=name", "/referrals"]
    paths += ["/codes", "/codes?q=nothing", "/apps", "/jobs", "/appearance"]
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


def contrast(*colors: str) -> float:
    """Return the contrast of two CSS colors (WCAG 2.2)."""
    luminances = sorted(Color(color).luminance() + 0.05 for color in colors)
    return luminances[1] / luminances[0]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_administrator_of_300_people_by_keyboard(visiting, served, api, rita, size):
    name = f"Olga{size['width']}"
    code = api.make_code(api.join(name), f"OLGA-{size['width']}")["code"]
    give_past(served.log.parent, of=f"{name.lower()}@example.com", code=code, people=300)
    page = visiting(viewport=size)
    signed_in(page, served.url, rita)

    def press(role: str, label: str, *, exact: bool = False) -> None:
        page.get_by_role(role, name=label, exact=exact).first.focus()
        page.keyboard.press("Enter")

    bar = page.locator(".plot a").last
    bar.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(bar).to_be_focused()
    expect(bar.locator("text")).to_have_css("opacity", "1")
    expect(bar).to_have_accessible_name(
        re.compile(r"^\d\d \w{3} \d{4}: \d+ joined, \d+ of them with a code$")
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("People")
    expect(page.get_by_label("From date")).not_to_have_value("")

    press("link", "Clear filters")
    if size == DESKTOP:
        for address in ("**sort=referrals", "**sort=-referrals"):
            page.locator("th a", has_text="Referrals").press("Enter")
            page.wait_for_url(address)
        counts = [int(text) for text in page.locator("td.number").all_inner_texts()]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > 20
        heights = {row.bounding_box()["height"] for row in page.locator("tbody tr").all()}
        assert max(heights) < 50, "one line a row"
    press("link", "100", exact=True)
    expect(page.locator("tbody tr")).to_have_count(100)
    press("link", "Next page")
    page.wait_for_url("**cursor=**")
    expect(page.locator("tbody tr")).to_have_count(100)
    page.get_by_label("E-mail or name").fill("Smith")
    page.get_by_label("Status").select_option("disabled")
    page.keyboard.press("Tab")
    press("button", "Filter")
    page.wait_for_url("**q=Smith&status=disabled**")
    expect(page.locator(".state.disabled").first).to_be_visible()
    with page.expect_download() as download:
        press("link", "Download as CSV")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) > 10
    assert all("disabled" in line for line in lines[1:])

    fold_the_tree(page, f"{served.url}/admin/users?q={name.lower()}@example.com", name)
    press("link", "Appearance")
    expect(page.frame_locator("iframe").first.get_by_role("heading", level=1)).to_contain_text("Alice")


def fold_the_tree(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.locator("td.number a").press("Enter")
    expect(page.locator(".node.chosen")).to_contain_text(name)
    fold = page.locator(".tree details").first
    fold.locator("summary").first.press("Enter")
    expect(fold).to_have_attribute("open", "")
    expect(fold.get_by_role("link").first).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "size"),
    [("light", PHONE), ("dark", PHONE), ("light", DESKTOP), ("dark", ZOOMED)],
    ids=["light-phone", "dark-phone", "light-desktop", "dark-zoomed"],
)
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
    background = page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")
    for swatch in page.locator(".swatch").all():
        assert contrast(swatch.evaluate("one => getComputedStyle(one).backgroundColor"), background) >= 3

    for _ in everywhere(page, served.url, user_id, friend_id):
        look_over(page)


@pytest.mark.parametrize("scripts", [True, False])
def test_tables_fit_a_phone(visiting, served, api, rita, scripts):
    """The script names the cells; without it a table keeps its head, and scrolls by itself."""
    page = visiting(java_script_enabled=scripts, viewport=PHONE)
    signed_in(page, served.url, rita)
    page.goto(f"{served.url}/admin/users")

    cell = page.locator("tbody td").nth(1)
    assert cell.get_attribute("data-label") == ("E-mail" if scripts else None)
    assert cell.evaluate("cell => getComputedStyle(cell).display") == ("block" if scripts else "table-cell")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
