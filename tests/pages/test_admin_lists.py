"""The lists of administrators: totals, sorting, dates, pages of two sizes, and files."""

import csv
import html
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy

from asgi import client_of, forget_limits
from goodword.admin import listing, tables
from pages.pressing import press
from people import begin_sessions, bring, insert_codes, join, make_code, register
from sweeps import Sweep
from third_party import Browser, register_app

LISTS = ("users", "referrals", "codes", "apps", "jobs", "audit")


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def found(page):
    """The texts of the first cells."""
    assert page.status_code == 200, page.text
    text = page.text.partition("Signing keys</h2>")[0]
    cells = re.findall(r"<tr>\s*<td[^>]*>(.*?)</td>", text, re.DOTALL)
    return [re.sub(r" <span.*|<[^>]*>", "", cell).strip() for cell in cells]


async def shown(office, name, **query):
    return found(await office.get(f"/admin/{name}", params=query))


async def table(office, name, **query):
    """The rows of a file, by the labels of its columns."""
    answer = await office.get(f"/admin/{name}.csv", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf"), "without it, spreadsheets do not see UTF-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def addresses(page):
    return [html.unescape(one) for one in re.findall(r'href="([^"]+)"', page.text)]


async def test_people_are_sorted_by_each_column(office, api, alice):
    await bring(alice, "carol", "dave")

    for sort, names in {
        "name": ["Alice Liddell", "Carol", "Dave", "Rita"],
        "-name": ["Rita", "Dave", "Carol", "Alice Liddell"],
        "-email": ["Rita", "Dave", "Carol", "Alice Liddell"],
        "-referrals": ["Alice Liddell", "Dave", "Carol", "Rita"],
        "joined": ["Rita", "Alice Liddell", "Carol", "Dave"],
        "nonsense": ["Dave", "Carol", "Alice Liddell", "Rita"],
    }.items():
        page = await office.get(f"/admin/users?sort={sort}")
        if sort == "-referrals":
            assert found(page)[0] == names[0]
        else:
            assert found(page) == names
    assert "Total: 4" in page.text
    assert "/admin/users?sort=name" in addresses(page)
    page = await office.get("/admin/users?sort=name&status=active")
    assert "/admin/users?status=active&sort=-name" in addresses(page), "the filter stays"
    assert re.search(r'<th scope="col" aria-sort="ascending">\s*<a [^>]*>Name</a>', page.text)


async def test_referrals_codes_apps_and_events_are_sorted(office, app, api, alice, bob):
    await bring(alice, "erin", code="SPRING-1")
    await bring(bob, "dave", lifetime=86400, code="AUTUMN-1")
    for name in ("https://b.example/", "https://a.example/"):
        await register_app(app, api, name)

    with Sweep() as sweep:
        for name, sort, first in (
            ("referrals", "friend", "Dave"),
            ("referrals", "-friend", "Erin"),
            ("referrals", "referrer", "Erin"),
            ("referrals", "code", "Dave"),
            ("referrals", "joined", "Erin"),
            ("codes", "code", "AUTUMN-1"),
            ("codes", "-code", "SPRING-1"),
            ("codes", "owner", "SPRING-1"),
            ("codes", "-expires", "AUTUMN-1"),
            ("codes", "created", "SPRING-1"),
        ):
            with sweep.case(f"{name} by {sort}"):
                assert (await shown(office, name, sort=sort))[0] == first
        for name in LISTS:
            page = await office.get(f"/admin/{name}?size=100")
            for onward in {one for one in addresses(page) if one.startswith(f"/admin/{name}?sort=")}:
                for path in (onward, onward.replace("sort=", "sort=-")):
                    with sweep.case(path):
                        forget_limits(app)
                        assert sorted(found(await office.get(path))) == sorted(found(page))


async def test_referrals_are_found_by_person_code_and_state(office, api, alice, bob):
    await bring(alice, "erin", code="SPRING-1")
    await bring(bob, "dave", code="AUTUMN-1")

    assert await shown(office, "referrals") == ["Dave", "Erin"]
    for text in (alice.email, alice.id, "erin@example.com", "spring-1", "SPRlNG", "lidd", "ERIN"):
        assert await shown(office, "referrals", q=text) == ["Erin"], text
    assert await shown(office, "referrals", q="nobody") == []
    assert await shown(office, "referrals", status="rejected") == []
    assert await shown(office, "referrals", status="confirmed") == ["Dave", "Erin"]
    assert await shown(office, "codes", q=bob.email) == ["AUTUMN-1"]


async def test_dates_are_whole_days_in_utc(office, api, alice, clock):
    today = clock().date()
    yesterday, tomorrow = (today + timedelta(days=days) for days in (-1, 1))

    for query, count in (
        ({"from": today}, 2),
        ({"from": today, "to": today}, 2),
        ({"to": yesterday}, 0),
        ({"from": tomorrow}, 0),
    ):
        page = await office.get("/admin/users", params=query)
        assert f"Total: {count}" in page.text, query
        assert f'value="{next(iter(query.values()))}"' in page.text
    for name in LISTS:
        assert (await office.get(f"/admin/{name}?from={today}&to={today}")).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=x", "from"),
        ("to=2026-02-30", "to"),
        ("from=0001-01-01", "from"),
        ("to=9999-12-31", "to"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("from=%00", "from"),
    ],
)
async def test_impossible_dates_are_marked(office, query, field):
    for name in ("users", "referrals", "codes", "audit"):
        page = await office.get(f"/admin/{name}?{query}")
        assert page.status_code == 200
        assert f'<p class="wrong" id="{field}-error">' in page.text
        assert found(page) == []
        file = await office.get(f"/admin/{name}.csv?{query}")
        assert (file.status_code, file.headers["location"]) == (303, f"/admin/{name}?{query}")


@pytest.mark.parametrize("sort", ["-joined", "joined", "name", "-referrals"])
async def test_pages_follow_one_another_in_each_order(office, api, alice, monkeypatch, sort):
    monkeypatch.setattr("goodword.admin.pages.lists.SIZES", (2, 100))
    await bring(alice, "bob", "carol", "dave", "erin")
    everybody = [row["Name"] for row in await table(office, "users", sort=sort)]

    path, seen = f"/admin/users?sort={sort}", []
    while path:
        page = await office.get(path)
        seen += found(page)
        path = next((one for one in addresses(page) if "cursor=" in one and "/users?" in one), None)

    assert len(seen) == 6
    assert seen == everybody
    onward = f"/admin/users?sort={sort}&size=100" if sort != "-joined" else "/admin/users?size=100"
    assert onward in addresses(page)
    assert len(found(await office.get(onward))) == 6


async def test_a_large_list_is_in_the_order_of_age_and_not_counted(office, api, alice, monkeypatch):
    await bring(alice, "bob", "carol", "dave")
    monkeypatch.setattr(listing, "SCAN_LIMIT", 2)

    page = await office.get("/admin/users?sort=name")
    assert found(page)[0] == "Dave", "not by name"
    assert "More than 2." in page.text
    assert not [one for one in addresses(page) if "sort=-name" in one or "sort=email" in one]
    assert found(await office.get("/admin/users?sort=joined"))[0] == "Rita"
    for sort, name in (("-joined", "rita"), ("joined", "dave")):
        path, seen = f"/admin/users?sort={sort}&q={name}", []
        while path:
            page = await office.get(path)
            seen += found(page)
            path = next((one for one in addresses(page) if "cursor=" in one and "/users?" in one), None)
        assert [one.lower().split()[0] for one in seen] == [name]
    rows = await table(office, "users", q="a")
    assert [row["Name"] for row in rows] == ["Dave", "Carol", "Bob", "Alice Liddell", "Rita"]


@pytest.mark.parametrize("batch", [1, 2, 1000])
async def test_a_file_has_all_rows_that_match(office, api, alice, monkeypatch, batch):
    monkeypatch.setattr(listing, "EXPORT_ROWS", batch)
    await bring(alice, "bob", "carol", "dave", code="SPRING-1")

    rows = await table(office, "users", sort="name", q="o")
    assert [row["Name"] for row in rows] == ["Alice Liddell", "Bob", "Carol", "Dave", "Rita"]
    assert rows[0]["E-mail"] == alice.email
    assert rows[0]["Referrals"] == "3"
    assert rows[0]["ID"] == alice.id
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0]["Joined"])
    [referral] = await table(office, "referrals", q="bob@example.com")
    assert (referral["Referred by"], referral["Code"]) == ("Alice Liddell", "SPRING-1")
    [code] = await table(office, "codes")
    assert (code["Code"], code["Uses"], code["Status"]) == ("SPRING-1", "3", "active")
    events = await table(office, "audit", action="code.issued")
    assert [event["Target"] for event in events] == ["SPRING-1, Alice Liddell"]
    assert await table(office, "jobs") == []
    assert await table(office, "apps") == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "＝"])
async def test_a_cell_is_no_formula(office, api, start):
    name = f"{start}HYPERLINK"
    await register(api, "mallory", first_name=name.strip() if start == "\t=" else name, last_name='A1,"x"')

    [row] = await table(office, "users", q="mallory@example.com")

    assert row["Name"] == f'\'{name.strip()} A1,"x"' or row["Name"] == f'\'{name} A1,"x"'


async def test_a_cell_is_no_formula_where_semicolons_separate(office, api):
    await register(api, "mallory", first_name="x;=HYPERLINK", last_name="y")

    file = (await office.get("/admin/users.csv")).content.decode("utf-8-sig")

    cells = [cell for row in csv.reader(io.StringIO(file), delimiter=";") for cell in row]
    assert any("x;=HYPERLINK y" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith("=")]


async def test_a_file_goes_on_if_a_row_changes_meanwhile(app, alice, rita):
    await bring(alice, "bob", "carol", "dave")
    services, found = app.state.services, []

    async for part in listing.export(services.database, tables.USERS, listing.Query("name", 2)):
        found += [tables.name_of(row.User) for row in part]
        if len(found) == 2:
            async with services.database.transaction() as session:
                await session.execute(
                    sqlalchemy.text("UPDATE users SET first_name = 'Zoe' WHERE first_name = 'Bob'")
                )

    assert found == ["Alice Liddell", "Bob", "Carol", "Dave", "Rita", "Zoe"]


async def test_a_file_begins_before_all_rows_are_read(office, app, alice):
    await insert_codes(app, alice, 2_500)

    rows = await table(office, "codes")

    assert len(rows) == 2_500
    assert len({row["Code"] for row in rows}) == 2_500
    assert "Total: 2,500" in (await office.get("/admin/codes")).text


async def test_its_columns_and_totals_are_in_the_language_of_the_page(office, app, alice):
    await insert_codes(app, alice, 1_200)
    russian = {"Accept-Language": "ru"}

    answer = await office.get("/admin/codes.csv", headers=russian)
    assert answer.content.decode("utf-8-sig").startswith('"Код","Владелец",')
    assert "1\u00a0200" in (await office.get("/admin/codes", headers=russian)).text


async def test_a_session_is_revoked_by_its_name(office, app, alice):
    await begin_sessions(app, alice, 1)
    here = f"/admin/users/{alice.id}"

    page = (await office.get(here)).text
    assert "Revoke session on Device 0</button>" in page
    form = page.partition("Revoke session on Device 0")[0].rpartition("<form")[2]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    origin = {"Origin": "http://127.0.0.1:8000"}
    for _ in range(2):
        answer = await office.client.post(f"{here}/sessions/revoke", data=fields, headers=origin)
        assert answer.headers["location"] == f"{here}?done=session"
    page = (await office.get(f"{here}?done=session")).text
    assert "The session has been revoked." in page
    assert "Device 0" not in page


@pytest.mark.parametrize("session", ["", "x", "\x00", "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"])
async def test_no_other_session_is_revoked(office, rita, alice, session):
    form = (await office.get(f"/admin/users/{alice.id}")).text
    fields = {"form_token": re.search(r'form_token" value="(\w+)"', form)[1], "session": session}

    answer = await office.client.post(
        f"/admin/users/{alice.id}/sessions/revoke", data=fields, headers={"Origin": "http://127.0.0.1:8000"}
    )

    assert answer.status_code == 303
    assert (await alice.get("/api/v1/me")).status_code == 200
    assert (await office.get("/admin")).status_code == 200


async def test_apps_and_keys(office, app, api, alice):
    garden = await register_app(app, api, "https://garden.example/callback")
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(alice)
        tokens = await garden.let_in(browser)

    page = (await office.get("/admin/apps")).text
    [row] = await table(office, "apps")
    assert (row["App"], row["Client ID"], row["Users"], row["Status"]) == (
        "Garden letters",
        garden.client_id,
        "1",
        "active",
    )
    assert "Disable Garden letters</button>" in page

    answer = await press(office, "/admin/apps", "/admin/apps/disable", client_id=garden.client_id)
    assert answer.headers["location"] == "/admin/apps?done=disabled"
    page = (await office.get("/admin/apps?done=disabled")).text
    assert "The app is disabled." in page
    assert "Disable Garden letters</button>" not in page
    me = await api.get("/api/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.status_code == 401
    for odd in ("goodword-docs", "\x00", ""):
        answer = await press(office, "/admin/apps", "/admin/apps/disable", client_id=odd)
        assert answer.status_code == 303


async def test_a_code_and_a_key_stay_whole(office, alice):
    await make_code(alice, code="SPRING-1")
    await join(alice.api, "bob")

    assert '<td class="code">SPRING-1' in (await office.get("/admin/codes")).text
    keys = (await office.get("/admin/apps")).text.partition("Signing keys</h2>")[2]
    assert len(re.findall(r'<td class="code">', keys)) >= 2
    assert "BEGIN" not in keys


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_page_of_100_rows_is_at_most_62_kib(office, app, api, alice, language):
    await insert_codes(app, alice, 99)
    for number in range(99):
        await register(api, f"friend{number:02}", first_name="Friend", last_name=f"Number {number}")
        forget_limits(app)

    for name in LISTS:
        page = await office.get(f"/admin/{name}?size=100", headers={"Accept-Language": language})
        assert page.status_code == 200
        assert len(page.content) <= 62 * 1024, name
        if name in ("codes", "audit", "users"):
            assert page.text.count("<tr>") >= 99
            assert page.text.count('name="form_token"') <= 3


async def test_buttons_of_a_person_are_named_for_what_they_do(office, alice):
    here = f"/admin/users/{alice.id}"
    page = (await office.get(here)).text
    assert "Disable account of Alice Liddell</button>" in page
    assert "Erase account of Alice Liddell …</a>" in page

    await press(office, here, f"{here}/disable")
    assert "Enable account of Alice Liddell</button>" in (await office.get(here)).text
