"""/admin/codes: everybody's codes, found and revoked."""

import re

import pytest

from goodword.admin import listing
from pages.pressing import press
from people import make_code, register

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def found(page):
    assert page.status_code == 200, page.text
    return re.findall(r"<tr>\s*<td[^>]*>(.*?)</td>", page.text)


async def shown(office, **query):
    return found(await office.get("/admin/codes", params=query))


async def test_codes_are_found_by_string_and_state(office, alice, bob, mallory, clock):
    await make_code(alice, code="SPRING-1", lifetime=20 * 86400)
    await make_code(alice, code="SPRING-2", active=False, lifetime=30 * 86400)
    await make_code(bob, code="SUMMER-1", lifetime=60)
    await make_code(mallory, code="WINTER-1", lifetime=5 * 86400)
    await mallory.delete("/api/v1/me/referral-codes/WINTER-1")
    await make_code(mallory, code="AUTUMN-1", lifetime=6 * 86400)
    clock.forward(minutes=2)

    assert await shown(office) == ["AUTUMN-1", "WINTER-1", "SUMMER-1", "SPRING-2", "SPRING-1"]
    assert await shown(office, q="sprlng l") == ["SPRING-1"]
    assert await shown(office, q="pring") == ["SPRING-2", "SPRING-1"]
    assert await shown(office, q="pring", status="prepared") == ["SPRING-2"]
    assert await shown(office, status="expired") == ["SUMMER-1"]
    assert await shown(office, status="retired") == ["WINTER-1"]
    assert await shown(office, status="ending") == ["AUTUMN-1"]
    assert await shown(office, status="nonsense", q="winter") == ["WINTER-1"]
    for odd in ("%", "_", "'", "\\", "💥", '"; --'):
        assert await shown(office, q=odd) == []
    for impossible in ("%00", "x" * 3_000):
        assert 'id="q-error"' in (await office.client.get(f"/admin/codes?q={impossible}")).text


async def test_a_revoked_code_stays_revoked_when_its_owner_deletes_it(office, rita, alice):
    code = (await make_code(alice))["code"]
    await rita.delete(f"/api/v1/admin/referral-codes/{code}")
    await alice.delete(f"/api/v1/me/referral-codes/{code}")

    page = (await office.get("/admin/codes")).text
    assert re.findall(r'<span class="state retired">(.*?)</span>', page) == ["revoked"]


async def test_the_next_to_end_come_first_and_pages_follow(office, app, alice, api):
    for number in range(27):
        await register(api, f"friend{number}")
    people = [
        (
            await api.post(
                "/api/v1/sessions", json={"email": f"friend{n}@example.com", "password": alice.password}
            )
        ).json()
        for n in range(27)
    ]
    for number, tokens in enumerate(people):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        body = {"code": f"ENDS-{number:02}", "lifetime": 86400 + 60 * number}
        await api.post("/api/v1/me/referral-codes", json=body, headers=headers)

    for query, order in (
        ("status=ending", range(27)),
        ("status=ending&sort=-created", range(26, -1, -1)),
        ("q=ends", range(26, -1, -1)),
        ("", range(26, -1, -1)),
    ):
        first = await office.get(f"/admin/codes?{query}")
        onward = re.search(r'href="(/admin/codes\?[^"]*cursor=[^"]+)"', first.text)[1].replace("&amp;", "&")
        names = [f"ENDS-{number:02}" for number in order]
        assert found(first) == names[:25]
        assert found(await office.get(onward)) == names[25:]
        for wrong in (onward[:-2], onward + "A", onward.replace("cursor=", "q=x&cursor=")):
            answer = await office.get(wrong, headers=HTML)
            assert answer.status_code == 400
            assert "ENDS" not in answer.text


async def test_a_search_goes_on_where_it_stopped(office, alice, monkeypatch):
    monkeypatch.setattr(listing, "SCAN_LIMIT", 2)
    for number in range(4):
        await make_code(alice, code=f"CODE-{number}", active=False)

    page = await office.get("/admin/codes?q=de0")
    assert "No matches in the 2 rows searched so far." in page.text
    onward = re.search(r'href="(/admin/codes\?[^"]*cursor=[^"]+)">Continue the search', page.text)[1]
    assert found(await office.get(onward.replace("&amp;", "&"))) == ["CODE-0"]


async def test_a_code_is_revoked_where_it_is_seen(office, api, alice):
    await make_code(alice, code="SPRING-1")
    assert (await api.get("/api/v1/referral-codes/SPRING-1")).status_code == 200
    assert (await api.get("/r/SPRING-1")).status_code == 200

    answer = await press(office, "/admin/codes?q=spring&status=active", "/admin/codes/revoke")
    back = "/admin/codes?q=spring&status=active&done=revoked"
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    assert "The code has been retired." in (await office.get(back)).text
    assert (await api.get("/api/v1/referral-codes/SPRING-1")).status_code == 404
    assert (await api.get("/r/SPRING-1")).status_code == 404
    page = (await office.get(f"/admin/users/{alice.id}")).text
    assert "revoked</span>" in page
    assert "for good" not in page

    await make_code(alice, code="SPRING-3")
    here = f"/admin/users/{alice.id}"
    answer = await press(office, here, "/admin/codes/revoke")
    assert answer.headers["location"] == f"{here}?done=revoked"
    assert (await api.get("/api/v1/referral-codes/SPRING-3")).status_code == 404


@pytest.mark.parametrize("of", ["SPRING-1", "unknown-code", "", "\x00", "é"])
async def test_sent_again_or_for_no_code_it_changes_nothing(office, alice, of, rows):
    await make_code(alice, code="SPRING-1")
    for _ in range(2):
        answer = await press(office, "/admin/codes", "/admin/codes/revoke", of=of)
        assert answer.status_code == 303
    assert await rows("SELECT count(*) FROM referral_codes WHERE retired_at IS NOT NULL") == [
        (int(of == "SPRING-1"),)
    ]


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
async def test_it_leads_nowhere_else(office, alice, back):
    await make_code(alice, code="SPRING-1")

    answer = await press(office, "/admin/codes", "/admin/codes/revoke", back=back)

    assert answer.headers["location"] == "/?done=revoked"
