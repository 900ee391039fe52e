"""capture.js on pages of another origin: from an address with a code to the form of a later page."""

import pytest
from playwright.sync_api import expect

from browser.other_sites import SCRIPT, other_site, visitors
from serving import serving

CAPTURE = '<script src="HOME/capture.js" async></script>'
FORM = """<form data-goodword action="/done"><label>Code <input name="referral_code"></label>
  <input type="hidden" name="referral_touch"><button>Join</button></form>"""
TOUCH = "01a2254c-ce73-73ef-9314-ad0f52761bb0"
DAY = 24 * 3600 * 1000
REMEMBERED = "goodword.referral()"


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    with other_site() as site, serving(tmp_path_factory.mktemp("served")) as served:
        site.home, site.policy = served.url, SCRIPT
        site.put("/", '<a href="/join">Join</a>', script=CAPTURE)
        site.put("/join", FORM, script=CAPTURE)
        site.put("/done", "<p>Done</p>", script="")
        yield site


@pytest.fixture
def visit(browser, acme):
    with visitors(browser, acme.home, acme.origin) as visit:
        yield visit


def code(page):
    return page.get_by_label("Code")


def ready(page):
    page.wait_for_function("Boolean(globalThis.goodword?.referral)")


def captured(page):
    ready(page)
    found = page.evaluate(REMEMBERED)
    return found and (found["code"], found["touch"])


def test_a_code_is_kept_over_pages_and_used_in_a_form(visit, acme):
    page = visit()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{acme.origin}/?utm_source=x&ref=ALICE-2026&touch={TOUCH}")
    assert captured(page) == ("ALICE-2026", TOUCH)

    page.get_by_role("link", name="Join").click()
    expect(code(page)).to_have_value("ALICE-2026")
    page.get_by_role("button", name="Join").click()

    expect(page.get_by_text("Done")).to_be_visible()
    assert page.url == f"{acme.origin}/done?referral_code=ALICE-2026&referral_touch={TOUCH}"
    assert {url for url in requests if not url.startswith(acme.origin)} == {f"{acme.home}/capture.js"}
    assert page.context.cookies() == []
    assert page.evaluate("Object.keys(localStorage)") == ["goodword.referral"]


def test_a_code_is_forgotten_at_the_end_of_its_window(visit, acme):
    page = visit()
    page.clock.install()
    page.goto(f"{acme.origin}/?ref=ALICE-2026")
    assert captured(page) == ("ALICE-2026", None)

    page.clock.fast_forward(30 * DAY - 60_000)
    assert captured(page) == ("ALICE-2026", None)
    page.clock.fast_forward(120_000)

    assert captured(page) is None
    assert page.evaluate("localStorage.length") == 0
    page.goto(f"{acme.origin}/join")
    ready(page)
    expect(code(page)).to_have_value("")


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [("", "BOB-2026"), ('data-model="last"', "BOB-2026"), ('data-model="first"', "ALICE-2026")],
)
def test_the_first_or_the_last_code_counts(visit, acme, attributes, kept):
    page, script = visit(), CAPTURE.replace("async", attributes)
    for one in ("ALICE-2026", "BOB-2026"):
        page.goto(f"{acme.put('/model', '', script=script)}?ref={one}")

    assert captured(page) == (kept, None)


def test_the_first_code_counts_only_in_its_window(visit, acme):
    page = visit()
    page.clock.install()
    address = acme.put("/model", "", script=CAPTURE.replace("async", 'data-model="first" data-window="2"'))
    page.goto(f"{address}?ref=ALICE-2026")
    assert captured(page) == ("ALICE-2026", None)
    page.clock.fast_forward(2 * DAY + 60_000)

    page.goto(f"{address}?ref=BOB-2026")

    assert captured(page) == ("BOB-2026", None)


BLOCKED = "Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('no') } })"
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"


@pytest.mark.parametrize("storage", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_the_code_is_known_on_its_page(visit, acme, storage):
    page = visit(storage)
    page.goto(f"{acme.origin}/join?ref=ALICE-2026")
    expect(code(page)).to_have_value("ALICE-2026")

    page.goto(f"{acme.origin}/join")

    assert captured(page) is None
    expect(code(page)).to_have_value("")


def test_a_damaged_store_does_no_harm(visit, acme):
    page = visit()
    page.goto(f"{acme.origin}/join")
    for text in (
        "{",
        "null",
        "7",
        '"x"',
        '{"code": {}, "ends_at": 9e15}',
        '{"code": "X", "ends_at": "soon"}',
    ):
        page.evaluate("text => localStorage.setItem('goodword.referral', text)", text)
        page.reload()
        assert captured(page) is None, text
        expect(code(page)).to_have_value("")


def test_a_hostile_code_is_only_text(visit, acme):
    hostile = '"><img src=x onerror=alert(1)>'
    page = visit("globalThis.alert = () => { globalThis.hurt = true; }")

    page.goto(
        f"{acme.origin}/join?ref=%00%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E%0a%E2%80%AE&touch={hostile}"
    )

    expect(code(page)).to_have_value(hostile)
    assert captured(page) == (hostile, None)
    assert page.locator("img").count() == 0
    assert page.evaluate("globalThis.hurt") is None


@pytest.mark.parametrize("text", ["", "%20%00", "x" * 65])
def test_what_cannot_be_a_code_replaces_none(visit, acme, text):
    page = visit()
    page.goto(f"{acme.origin}/?ref=ALICE-2026")
    assert captured(page) == ("ALICE-2026", None)

    page.goto(f"{acme.origin}/?ref={text}")

    assert captured(page) == ("ALICE-2026", None)


def test_what_a_person_types_or_removes_stays(visit, acme):
    page = visit()
    page.goto(f"{acme.origin}/join?ref=ALICE-2026")
    expect(code(page)).to_have_value("ALICE-2026")

    code(page).fill("")
    page.get_by_role("heading").click()
    expect(code(page)).to_have_value("")
    code(page).fill("BOB-2026")
    page.get_by_role("button", name="Join").click()

    expect(page.get_by_text("Done")).to_be_visible()
    assert "referral_code=BOB-2026&" in page.url


def test_a_form_that_is_added_later_is_filled(visit, acme):
    page = visit()
    page.goto(f"{acme.origin}/?ref=ALICE-2026")
    ready(page)
    page.evaluate(
        """() => {
          const form = document.createElement("form"), input = document.createElement("input");
          form.action = "/done";
          form.dataset.goodword = "";
          Object.assign(input, { type: "hidden", name: "referral_code" });
          form.append(input);
          document.body.append(form);
          form.requestSubmit();
        }"""
    )

    expect(page.get_by_text("Done")).to_be_visible()
    assert page.url.endswith("?referral_code=ALICE-2026")


def test_inputs_are_named_by_selectors_and_the_parameter_by_the_tag(visit, acme):
    body = '<input id="code" type="hidden"><input class="touch" type="hidden"><input name="referral_code">'
    attributes = 'data-parameter="via" data-field="#code" data-touch-field=".touch"'
    address = acme.put("/named", body, script=CAPTURE.replace("async", attributes))
    page = visit()

    page.goto(f"{address}?ref=BOB-2026&via=ALICE-2026&touch={TOUCH}")

    expect(page.locator("#code")).to_have_value("ALICE-2026")
    expect(page.locator(".touch")).to_have_value(TOUCH)
    expect(page.locator("[name=referral_code]")).to_have_value("")


def test_scripts_of_the_page_hear_of_a_code(visit, acme):
    page = visit(
        "addEventListener('goodword:capture', (event) => (globalThis.heard ??= []).push(event.detail), true)"
    )
    address = acme.put("/twice", "", script=CAPTURE + CAPTURE)
    page.goto(address)
    ready(page)
    page.evaluate("goodword.onCapture((found) => { globalThis.called = found; })")
    assert page.evaluate("[globalThis.heard, globalThis.called]") == [None, None]

    page.goto(f"{address}?ref=ALICE-2026")

    ready(page)
    page.evaluate("goodword.onCapture((found) => { globalThis.called = found; })")
    (heard,), called = page.evaluate("[heard, called]")
    assert heard == called
    assert (heard["code"], heard["touch"]) == ("ALICE-2026", None)
    assert heard["captured_at"].endswith("Z")
