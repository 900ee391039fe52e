"""/admin/programs: a list, a form for a new one, and a form that changes what was changed in it."""

import html
import json
import re

import pytest

from other_programs import change_program, make_code_in, make_program
from pages.pressing import press
from people import make_code, register
from third_party import Form

pytestmark = pytest.mark.one_database

LIST, NEW, DEFAULT = "/admin/programs", "/admin/programs/new", "/admin/programs/default"


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def named(page):
    assert page.status_code == 200, page.text
    return re.findall(r'<td class="who"><a href="/admin/programs/([^"]+)">(.*?)</a>', page.text)


def wrong(page):
    """Return the marked fields of a form with what is said beside them."""
    assert page.status_code in (409, 422), page.text
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))


async def filled_in(office, path, **fields):
    """Send the form as a browser does that has only changed these fields."""
    form = (await office.get(path)).text
    shown = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input id="(\w+)"[^>]*?value="([^"]*)"', form, re.DOTALL)
    }
    for name, options in re.findall(r'<select id="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        shown[name] = re.search(r'value="(\w+)" selected', options)[1]
    if 'name="remember_touch" checked' in form:
        shown["remember_touch"] = "on"
    return await press(office, path, path, **{**shown, **fields})


async def test_a_program_is_created_and_listed(office, rows):
    fields = {"slug": "acme", "name": "Acme & friends", "currency": "EUR", "time_zone": "Europe/Berlin"}
    fields |= {"link_target": "https://acme.example/join?ref={code}", "starts_at": "2030-01-31T12:00"}
    answer = await filled_in(office, NEW, **fields, code_lifetime="0.5", remember_touch="on")

    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}?done=created")
    assert named(await office.get(LIST)) == [("acme", "Acme &amp; friends"), ("default", "Default")]
    query = "SELECT status, ends_at, code_lifetime, remember_touch FROM programs WHERE slug = 'acme'"
    assert await rows(query) == [("active", None, 43_200, True)]
    page = await office.get(f"{LIST}/acme")
    form = Form(page.text)
    assert form.fields["link_target"] == fields["link_target"]
    assert (form.fields["starts_at"], form.fields["code_lifetime"]) == ("2030-01-31T12:00", "0.5")
    [(action, subject)] = await rows("SELECT action, subject FROM audit_events WHERE subject = 'program'")
    assert (action, subject) == ("program.created", "program")
    assert "Acme &amp; friends" in (await office.get("/admin/audit?action=program.created")).text


async def test_a_form_changes_only_what_was_changed_in_it(office, rows, api):
    await make_program(api, "acme", code_lifetime=100_000, starts_at="2030-01-31T12:00:30Z")

    answer = await filled_in(office, f"{LIST}/acme", status="paused", late_entry_grace="2,5")

    assert answer.headers["location"] == f"{LIST}/acme?done=changed"
    [(status, lifetime, grace)] = await rows(
        "SELECT status, code_lifetime, late_entry_grace FROM programs WHERE slug = 'acme'"
    )
    assert (status, lifetime, grace) == ("paused", 100_000, 216_000)
    [(details,)] = await rows("SELECT details FROM audit_events WHERE action = 'program.changed'")
    assert json.loads(details) == {"fields": "late_entry_grace status"}
    [(seconds,)] = await rows("SELECT starts_at FROM programs WHERE slug = 'acme'")
    assert ":30" in str(seconds)


async def test_what_is_wrong_stands_beside_its_field(office):
    fields = {"name": "", "currency": "XYZ", "time_zone": "Mars/Olympus", "ends_at": "tomorrow"}
    fields |= {"link_target": "https://acme.example/", "attribution_window": "401", "code_lifetime": "x"}
    answer = await filled_in(office, NEW, slug="Acme!", **fields)

    assert set(wrong(answer)) == {"slug", *fields}
    assert Form(answer.text).fields["currency"] == "XYZ", "what was entered stays"
    assert set(wrong(await filled_in(office, NEW, slug="default", name="Again"))) == {"slug"}
    assert set(wrong(await filled_in(office, NEW, slug="new", name="New"))) == {"slug"}
    period = {"starts_at": "2030-01-31T12:00", "ends_at": "2030-01-31T12:00"}
    assert set(wrong(await filled_in(office, DEFAULT, **period))) == {"ends_at"}
    assert set(wrong(await filled_in(office, DEFAULT, unusable_link="target"))) == {"unusable_link"}
    loop = {"link_target": "http://127.0.0.1:8000/R/{code}"}
    assert set(wrong(await filled_in(office, DEFAULT, **loop))) == {"link_target"}


async def test_a_period_and_a_target_are_removed_again(office, rows, api):
    target = "https://acme.example/{code}"
    await make_program(api, "acme", ends_at="2030-01-31T12:00:00Z", link_target=target, remember_touch=True)

    fields = {"ends_at": "", "link_target": "", "code_lifetime": "", "remember_touch": ""}
    assert (await filled_in(office, f"{LIST}/acme", **fields)).status_code == 303

    query = "SELECT ends_at, link_target, code_lifetime, remember_touch FROM programs WHERE slug = 'acme'"
    assert [tuple(map(bool, row)) for row in await rows(query)] == [(False, False, False, False)]


async def test_an_unknown_program(office):
    for path in (f"{LIST}/nobody", f"{LIST}/NEW"):
        assert (await office.client.get(path, headers={"Accept": "text/html"})).status_code == 404


async def test_codes_and_referrals_name_the_program_where_there_are_several(office, alice, bob, api):
    await make_code(alice, code="DEFAULT-1")
    await register(api, "carol", referral_code="DEFAULT-1")
    for path in ("/admin/codes", "/admin/referrals"):
        assert "Program</th>" not in (await office.get(path)).text

    code = await make_code_in(bob, await make_program(api, "acme"))
    await register(api, "dave", referral_code=code)

    for path in ("/admin/codes", "/admin/referrals"):
        page = (await office.get(path)).text
        assert re.findall(r'<td><a href="/admin/programs/(\w+)">', page) == ["acme", "default"], path
        lines = (await office.get(f"{path}.csv")).text.splitlines()
        assert [line.rpartition(",")[2] for line in lines] == ['"Program"', '"Acme"', '"Default"']


async def test_the_home_page_says_that_the_program_is_paused(browser, alice, api):
    await make_code(alice)
    await browser.sign_in(alice)
    assert "Your code cannot be used now" not in (await browser.get("/")).text

    await change_program(api, status="paused")
    assert "Your code cannot be used now" in (await browser.get("/")).text
