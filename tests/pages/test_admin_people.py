"""/admin/users: finding people, looking at one, disabling, enabling, erasing."""

import asyncio
import re

import pytest

from goodword.admin import listing
from pages.pressing import press
from people import bring, join, make_code, register, sign_in

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
EVIL = "</text></svg><script>alert(1)</script>"


@pytest.fixture
async def office(browser, rita):
    """Rita's browser, signed in."""
    await browser.sign_in(rita)
    return browser


def found(page):
    assert page.status_code == 200, page.text
    return re.findall(r'<tr>\s*<td[^>]*><a href="/admin/users/[^"]+">(.*?)</a>', page.text)


async def searched(office, **query):
    return await office.get("/admin/users", params=query)


async def test_people_are_found_by_address_id_name_and_state(office, api, alice, bob):
    await register(api, "carol", first_name="Zoë", last_name="Ångström")

    assert found(await searched(office)) == ["Zoë Ångström", "Bob", "Alice Liddell", "Rita"]
    assert found(await searched(office, q="ALICE@example.com")) == ["Alice Liddell"]
    assert found(await searched(office, q=bob.id)) == ["Bob"]
    assert found(await searched(office, q="ångst")) == ["Zoë Ångström"]
    assert found(await searched(office, q="  liDD ")) == ["Alice Liddell"]
    assert found(await searched(office, status="disabled")) == []
    assert found(await searched(office, status="active", q="example.com"))[0] == "Zoë Ångström"


@pytest.mark.parametrize(
    "text",
    ["%", "_", "\\", "'", '"', "' OR 1=1 --", "\N{GRINNING FACE}", "%00", "@@", "(", "\ud800", "💥" * 50],
)
async def test_odd_text_finds_nobody(office, alice, text):
    page = await office.get("/admin/users?q=" + quoted(text))

    assert found(page) == []
    assert "Nothing matches these filters." in page.text


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "x" * 1_000, "x" * 101, "\u202eabc"])
async def test_impossible_text_is_told_so(office, text):
    answer = await office.client.get("/admin/users?q=" + quoted(text))

    assert answer.status_code == 200
    assert 'id="q-error"' in answer.text
    assert 'aria-describedby="q-hint q-error"' in answer.text
    assert "x" * 101 not in answer.text.partition("<footer")[0]


def quoted(text):
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


async def test_pages_follow_one_another(office, api):
    for number in range(27):
        await register(api, f"friend{number}")

    first = await searched(office, q="friend")
    onward = re.search(r'href="(/admin/users\?[^"]*cursor=[^"]+)"', first.text)[1].replace("&amp;", "&")
    second = await office.get(onward)

    assert len(found(first)) == 25
    assert found(second) == ["Friend1", "Friend0"]
    assert "cursor=" not in second.text.partition("<footer>")[0]
    for wrong in (onward + "x", onward.replace("q=friend", "q=other"), "/admin/users?cursor=x"):
        answer = await office.get(wrong, headers=HTML)
        assert answer.status_code == 400
        assert "Friend" not in answer.text


async def test_a_search_goes_on_where_it_stopped(office, api, alice, monkeypatch):
    monkeypatch.setattr(listing, "SCAN_LIMIT", 3)
    for number in range(4):
        await register(api, f"friend{number}")

    page = await searched(office, q="lidd")
    assert found(page) == []
    assert "No matches in the 3 rows searched so far." in page.text
    onward = re.search(r'href="(/admin/users\?[^"]*cursor=[^"]+)">Continue the search', page.text)[1]
    assert found(await office.get(onward.replace("&amp;", "&"))) == ["Alice Liddell"]


async def test_one_person_is_shown_with_what_is_theirs(office, api, alice, bob):
    code = await bring(alice, "dave")
    dave = (await sign_in(api, "dave@example.com")).json()

    page = (await office.get(f"/admin/users/{alice.id}")).text
    assert all(text in page for text in (alice.email, "Alice Liddell", code["code"], "1 – view tree"))
    assert "Revoke" in page
    assert "Last used:" in page
    assert "password" not in page.lower()
    me = (await api.get("/api/v1/me", headers={"Authorization": f"Bearer {dave['access_token']}"})).json()
    page = (await office.get(f"/admin/users/{me['id']}")).text
    assert f'<dd><a href="/admin/users/{alice.id}">Alice Liddell</a> <span class="note">' in page


async def test_a_person_is_disabled_and_enabled(office, api, alice):
    code = await make_code(alice)
    here = f"/admin/users/{alice.id}"
    for _ in range(2):  # pressed twice, it is so all the same
        answer = await press(office, here, f"{here}/disable")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{here}?done=disabled")

    assert "disabled and signed out everywhere" in (await office.get(f"{here}?done=disabled")).text
    assert (await alice.get("/api/v1/me")).status_code == 401
    assert (await sign_in(api, alice.email)).status_code == 401
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 404
    page = (await office.get(here)).text
    assert "disabled</span>" in page
    assert "No active sessions." in page

    for _ in range(2):
        assert (await press(office, here, f"{here}/enable")).status_code == 303
    assert (await sign_in(api, alice.email)).status_code == 201
    assert (await api.get(f"/api/v1/referral-codes/{code['code']}")).status_code == 200


async def test_a_person_is_erased_once_their_address_is_typed(office, alice, rows):
    here = f"/admin/users/{alice.id}"
    code = await make_code(alice)

    wrong = await press(office, f"{here}/erase", f"{here}/erase", email="bob@example.com")
    assert "This is not the user’s address." in wrong.text
    assert (await alice.get("/api/v1/me")).status_code == 200
    empty = await press(office, f"{here}/erase", f"{here}/erase")
    assert "This is not the user’s address." in empty.text

    answer = await press(office, f"{here}/erase", f"{here}/erase", email=" Alice@EXAMPLE.com ")
    assert answer.headers["location"] == f"{here}?done=erased"
    again = await press(office, here, f"{here}/erase", email=alice.email)
    assert again.headers["location"] == f"{here}?done=erased"

    for path in (
        here,
        f"{here}/tree",
        "/admin/users",
        "/admin/codes",
        "/admin",
        "/admin/jobs",
        "/admin/audit",
    ):
        page = (await office.get(path)).text
        assert "Alice" not in page, path
        assert "Liddell" not in page
        assert alice.email not in page
        assert code["code"] not in page
    assert "Erased user" in (await office.get(here)).text
    assert (await office.get(f"{here}/erase", headers=HTML)).status_code == 404
    for act in ("disable", "enable"):
        refused = await press(office, here, f"{here}/{act}")
        assert refused.status_code == 409
        assert "This user has been erased" in refused.text
    assert await rows("SELECT count(*) FROM users WHERE status = 'erased'") == [(1,)]


async def test_pressed_many_times_at_once_it_is_done_once(office, alice, rows):
    here = f"/admin/users/{alice.id}"
    for act in ("disable", "erase"):
        presses = [press(office, here, f"{here}/{act}", email=alice.email) for _ in range(5)]
        assert {answer.status_code for answer in await asyncio.gather(*presses)} == {303}
    assert await rows("SELECT status, email FROM users WHERE status <> 'active'") == [("erased", None)]


async def test_the_codes_of_somebody_erased_are_told_without_their_strings(office, alice):
    code = await make_code(alice)
    here = f"/admin/users/{alice.id}"
    await press(office, f"{here}/erase", f"{here}/erase", email=alice.email)

    page = (await office.get(here)).text

    assert '<strong class="address">–</strong> <span class="state retired">erased</span>' in page
    assert code["code"] not in page
    assert "deliverable" not in page


async def test_nobody_shuts_themselves_out(office, rita):
    here = f"/admin/users/{rita.id}"

    page = (await office.get(here)).text
    assert "This is your own account." in page
    assert "Disable account of" not in page
    for act in ("disable", "erase"):
        answer = await press(office, here, f"{here}/{act}", email=rita.email)
        assert answer.status_code == 409
        assert "You cannot disable or erase your own account here." in answer.text
    assert (await rita.get("/api/v1/me")).status_code == 200


async def test_names_are_text_on_every_page(office, api, alice):
    code = await make_code(alice)
    evil = await join(api, "evil", first_name=EVIL, last_name='"><b>', referral_code=code["code"])
    await make_code(evil)
    await register(api, "friend", referral_code=(await make_code(alice, active=False))["code"])
    paths = ["", "/users", f"/users/{evil.id}", f"/users/{evil.id}/tree", f"/users/{alice.id}/tree"]

    for path in [*paths, f"/users/{evil.id}/erase", "/codes", "/jobs", "/audit", "/users?q=" + quoted(EVIL)]:
        page = (await office.get(f"/admin{path}")).text
        assert "<script>alert" not in page, path
        assert "<b>" not in page
        assert page.count("<svg") == page.count("</svg>")
