"""<goodword-referral> in a page of another origin, with a strict Content-Security-Policy."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.conftest import DESKTOP, SMALL, WCAG, Api
from browser.other_sites import other_site, visitors
from people import PASSWORD
from serving import Served, serving

EMBED = '<script src="HOME/embed.js" async></script>'
NARROW = {"width": 280, "height": 640}
FOLLOWS_SYSTEM = '<meta name="color-scheme" content="light dark">'
BRAND = {
    "BRAND_COLOR": "#ffcc00",
    "SHARE_TEXT": "en=Try Acme with me; ru=Попробуйте Acme",
    "OFFER": "en=A month for free, for you both; ru=Месяц бесплатно вам обоим",
}
EXPIRED = """
  globalThis.expired = 0;
  addEventListener("goodword:token-expired", (event) => {
    expired += 1;
    if (globalThis.next) event.target.setAttribute("token", next);
  });
"""


@pytest.fixture(scope="module")
def sites():
    with other_site() as acme, other_site() as stranger:
        yield acme, stranger


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sites) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, EMBED_ORIGINS=sites[0].origin, **BRAND) as running:
        for site in sites:
            site.home = running.url
        yield running


@pytest.fixture
def acme(sites, served):
    return sites[0]


@pytest.fixture
def visit(browser, served, acme):
    with visitors(browser, served.url, acme.origin) as visit:
        yield visit


def refer(api: Api, code: str, count: int) -> None:
    for number in range(count):
        email = f"{code.lower()}{number}@example.com"
        named = {"first_name": f"Friend{number}"} if number else {}
        api.post("/api/v1/users", {"email": email, "password": PASSWORD, "referral_code": code} | named)


@pytest.fixture(scope="module")
def alice(served):
    """Return the token of somebody with a code and twelve referrals, of which three are not confirmed."""
    api = Api(served)
    token = api.join("Alice")
    api.make_code(token, "ALICE-2026")
    refer(api, "ALICE-2026", 12)
    with closing(sqlite3.connect(api.folder / "goodword.sqlite3")) as database, database:
        database.execute("UPDATE referrals SET status = 'pending' ORDER BY id LIMIT 3")
    return token


def element(token: str, **attributes: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<goodword-referral token="{token}"{given}></goodword-referral>'


def look_over(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": WCAG})
    assert found.violations_count == 0, found.generate_report()
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    within = SMALL.replace("document.", "document.querySelector('goodword-referral').shadowRoot.")
    assert page.evaluate(within) == []


def test_a_person_sees_link_qr_code_and_referrals(visit, acme, served, alice):
    page = visit(permissions=["clipboard-read", "clipboard-write"], viewport=DESKTOP)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    page.goto(acme.put("/", element(alice), script=EMBED))
    link = f"{served.url}/r/ALICE-2026"

    expect(page.get_by_label("Your link", exact=True)).to_have_value(link)
    expect(page.get_by_text("A month for free, for you both")).to_be_visible()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    image = page.get_by_alt_text("Your link as a QR code")
    page.wait_for_function("one => one.naturalWidth > 0", arg=image.element_handle())
    assert image.get_attribute("src") == f"{link}/qr.svg"
    target = link.replace(":", "%3A").replace("/", "%2F")
    for name, start in {
        "E-mail": f"mailto:?subject=Try%20Acme%20with%20me&body={target}",
        "WhatsApp": f"https://wa.me/?text=Try%20Acme%20with%20me%20{target}",
        "Telegram": f"https://t.me/share/url?url={target}&text=Try%20Acme%20with%20me",
        "X": f"https://x.com/intent/post?text=Try%20Acme%20with%20me&url={target}",
    }.items():
        assert page.get_by_role("link", name=name, exact=True).get_attribute("href") == start

    expect(page.get_by_text("9 friends joined · 3 not confirmed yet")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Friend11")).to_contain_text("a***@example.com")
    friends = page.locator("goodword-referral .cards li")
    expect(friends).to_have_count(10)
    look_over(page)
    page.get_by_role("button", name="Show more").click()
    expect(friends).to_have_count(12)
    expect(friends.nth(10)).to_be_focused()
    expect(friends.nth(11)).to_contain_text("A friend")
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    look_over(page)
    reads = [one for one in requests if "/api/" in one and one.startswith("GET")]
    assert len(reads) == 5, reads
    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_it_can_be_used_in_both_languages_dark_and_narrow(visit, acme, alice, scheme, language):
    page = visit(color_scheme=scheme, viewport=NARROW, reduced_motion="reduce")
    page.goto(acme.put("/", element(alice), script=EMBED, head=FOLLOWS_SYSTEM, lang=language))
    copy, count = {
        "en": ("Copy link", "9 friends joined · 3 not confirmed yet"),
        "ru": ("Скопировать ссылку", "Присоединилось 9 друзей · 3 ещё не подтверждены"),
    }[language]

    expect(page.get_by_role("button", name=copy)).to_be_visible()
    expect(page.get_by_text(count)).to_be_visible()
    ground = page.locator("goodword-referral").evaluate("one => getComputedStyle(one).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 35, 31)"}[scheme]
    look_over(page)


def test_a_page_changes_language_theme_and_colours(visit, acme, alice):
    page = visit(color_scheme="dark")
    page.goto(acme.put("/", element(alice, lang="ru-RU"), script=EMBED))
    shown = page.locator("goodword-referral")
    expect(page.get_by_role("heading", name="Ваша ссылка")).to_be_visible()
    white = "rgb(255, 255, 255)"  # the page is light on every system
    assert shown.evaluate("one => getComputedStyle(one).backgroundColor") == white

    shown.evaluate("one => { one.lang = 'fr'; one.setAttribute('theme', 'dark'); }")

    expect(page.get_by_role("heading", name="Your link")).to_be_visible()
    assert shown.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(27, 35, 31)"
    look_over(page)
    shown.evaluate("one => one.style.setProperty('--goodword-accent', 'rgb(1, 2, 3)')")
    main = page.get_by_role("button", name="Copy link")
    assert main.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(1, 2, 3)"


def test_without_a_clipboard_the_link_is_selected_and_copied(visit, acme, served, alice):
    page = visit("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(acme.put("/", element(alice), script=EMBED))
    page.evaluate("addEventListener('copy', () => { globalThis.copied = true; })")
    button = page.get_by_role("button", name="Copy link")

    button.press("Enter")

    expect(page.get_by_text("Copied")).to_be_visible()
    expect(button).to_be_focused()
    assert page.evaluate("copied")

    page.evaluate("document.execCommand = () => false")
    button.press("Enter")
    expect(page.get_by_text("Copy the selected link.")).to_be_visible()
    assert page.get_by_label("Your link").evaluate("one => one.selectionEnd") == len(
        f"{served.url}/r/ALICE-2026"
    )


def test_a_phone_shares_by_its_apps(visit, acme, alice):
    page = visit(
        "navigator.canShare = () => true; navigator.share = async (given) => { globalThis.shared = given; }"
    )
    page.goto(acme.put("/", element(alice), script=EMBED))

    page.get_by_role("button", name="Share…").click()

    assert page.evaluate("shared")["text"] == "Try Acme with me"


def test_somebody_without_a_code_is_told_so(visit, acme, api):
    page = visit()
    page.goto(acme.put("/", element(api.join("Nora")), script=EMBED))

    expect(page.get_by_text("You have no referral link at the moment.")).to_be_visible()
    expect(page.get_by_text("Friends appear here as soon as they join with your link.")).to_be_visible()
    look_over(page)


def test_plurals(visit, acme, api):
    token = api.join("Polly")
    api.make_code(token, "POLLY-2026")
    refer(api, "POLLY-2026", 1)
    page = visit()
    page.goto(acme.put("/", element(token), script=EMBED))
    expect(page.get_by_text("1 friend joined", exact=True)).to_be_visible()

    page.locator("goodword-referral").evaluate("one => { one.lang = 'ru'; }")

    expect(page.get_by_text("Присоединился 1 друг", exact=True)).to_be_visible()


def sign_in_again(api: Api, name: str) -> str:
    who = {"email": f"{name.lower()}@example.com", "password": PASSWORD}
    return api.post("/api/v1/sessions", who)["access_token"]


def test_an_expired_token_is_replaced_without_a_reload(visit, acme, api, alice):
    page = visit(EXPIRED)
    page.clock.install()
    page.goto(acme.put("/", element(alice), script=EMBED))
    friends = page.locator("goodword-referral .cards li")
    expect(friends).to_have_count(10)
    page.clock.fast_forward(599_000)
    assert page.evaluate("expired") == 0
    page.evaluate("given => { globalThis.next = given; }", sign_in_again(api, "Alice"))

    page.clock.fast_forward(2_000)

    assert page.evaluate("expired") == 1
    page.get_by_role("button", name="Show more").click()
    expect(friends).to_have_count(12)
    page.evaluate("globalThis.next = ''")
    page.clock.fast_forward(599_000)
    assert page.evaluate("expired") == 1  # a token lives as long as it says since it came


def test_a_refused_token_is_replaced_and_the_request_repeated(visit, acme, api, alice):
    page = visit(EXPIRED, f"globalThis.next = '{alice}'")
    page.goto(acme.put("/", element("refused"), script=EMBED))
    friends = page.locator("goodword-referral .cards li")
    expect(friends).to_have_count(10)
    assert page.evaluate("expired") == 1

    page.evaluate("given => { globalThis.next = given; }", sign_in_again(api, "Alice"))
    page.route("**/referrals?*cursor*", lambda route: refuse(route, 401), times=1)
    page.get_by_role("button", name="Show more").click()

    expect(friends).to_have_count(12)
    assert page.evaluate("expired") == 2


def test_without_a_new_token_there_is_an_error_and_no_endless_loop(visit, acme, alice):
    page = visit(EXPIRED, "globalThis.next = 'another that is refused'")
    page.goto(acme.put("/", element("refused"), script=EMBED))

    expect(page.get_by_role("alert")).to_contain_text("Your session has expired.")
    assert page.evaluate("expired") == 1
    look_over(page)
    page.evaluate("given => { globalThis.next = given; }", alice)
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_empty()
    assert page.evaluate("expired") == 2


def refuse(route, status: int) -> None:
    route.fulfill(status=status, headers={"Access-Control-Allow-Origin": "*"}, json={"code": "refused"})


def test_a_request_that_failed_is_repeated_by_a_button(visit, acme, alice):
    page = visit()
    page.route("**/referrals?*", lambda route: refuse(route, 429), times=1)
    page.goto(acme.put("/", element(alice), script=EMBED))
    expect(page.get_by_role("alert")).to_contain_text("This could not be loaded.")
    look_over(page)

    page.get_by_role("button", name="Try again").press("Enter")
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    page.route("**/referrals?*cursor*", lambda route: refuse(route, 429), times=1)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("alert")).to_contain_text("This could not be loaded.")
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("goodword-referral .cards li")).to_have_count(12)


def test_another_person_replaces_what_is_shown(visit, acme, api, alice):
    page = visit()
    page.goto(acme.put("/", element(alice), script=EMBED))
    expect(page.get_by_label("Your link")).to_have_value(re.compile("ALICE-2026$"))
    olga = api.join("Olga")
    api.make_code(olga, "OLGA-2026")

    page.locator("goodword-referral").evaluate("(one, token) => one.setAttribute('token', token)", olga)

    expect(page.get_by_label("Your link")).to_have_value(re.compile("OLGA-2026$"))
    expect(page.get_by_text("Friend1")).to_have_count(0)


def test_the_host_page_can_add_it_by_script_and_twice(visit, acme, served, alice):
    page = visit()
    page.goto(acme.put("/", "", script=EMBED + EMBED))
    page.evaluate(
        """([token, base]) => {
          for (const given of [token, ""]) {
            const one = document.createElement("goodword-referral");
            one.setAttribute("base", base);
            if (given) one.setAttribute("token", given);
            document.querySelector("main").append(one);
          }
        }""",
        [alice, served.url],
    )

    expect(page.get_by_role("button", name="Copy link")).to_have_count(1)


def test_a_site_that_is_not_named_sees_an_error_and_nothing_else(browser, sites, served, alice):
    stranger = sites[1]
    with visitors(browser, served.url, stranger.origin, allowed="CORS policy|net::ERR_FAILED") as visit:
        page = visit()
        page.goto(stranger.put("/", element(alice), script=EMBED))

        expect(page.get_by_role("alert")).to_contain_text("This could not be loaded.")
        text = page.locator("goodword-referral").evaluate("one => one.shadowRoot.innerHTML")
        assert "ALICE" not in text
        assert "Friend" not in text
        look_over(page)
