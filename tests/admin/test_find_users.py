"""GET /api/v1/admin/users"""

import pytest

from goodword.admin import search
from people import join, register

PATH = "/api/v1/admin/users"


async def found(rita, **query):
    answer = await rita.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [user["email"] for user in answer.json()["items"]]


async def test_users_are_listed_newest_first(rita, alice, bob):
    assert await found(rita) == [bob.email, alice.email, rita.email]


async def test_a_user_has_every_field(rita, alice):
    (shown,) = (await rita.get(PATH, params={"email": alice.email})).json()["items"]

    assert shown == {
        "id": alice.id,
        "email": "alice@example.com",
        "email_verified": False,
        "first_name": "Alice",
        "last_name": "Liddell",
        "status": "active",
        "is_admin": False,
        "created_at": alice.user["created_at"],
        "erased_at": None,
        "flags": [],
    }


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@Example.COM"])
async def test_email_is_compared_as_at_sign_in(rita, alice, email):
    assert await found(rita, email=email) == [alice.email]


@pytest.mark.parametrize("email", ["alice", "alice@example", "", "@", "alice@example.com.", "%", "a" * 320])
async def test_another_email_finds_no_user(rita, alice, email):
    assert await found(rita, email=email) == []


@pytest.mark.parametrize("part", ["alice", "ALI", "lidd", "Alice Lid", "ce@exam", "alice@example.com"])
async def test_q_finds_a_part_of_an_address_or_name(rita, alice, bob, part):
    assert await found(rita, q=part) == [alice.email]


@pytest.mark.parametrize("part", ["änne", "Änne", "ßler"])
async def test_q_finds_names_in_other_scripts(api, rita, part):
    await join(api, "anne", first_name="Änne", last_name="Keßler")

    assert await found(rita, q=part) == ["anne@example.com"]


@pytest.mark.parametrize("part", ["%", "_", "\\", "a%c", "' OR 1=1 --", "*", "💥", "%00"])
async def test_q_has_no_wildcards(rita, alice, part):
    assert await found(rita, q=part) == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query", [{"q": ""}, {"q": "a" * 101}, {"q": "\0"}, {"status": "gone"}, {"limit": 0}]
)
async def test_invalid_parameters_are_refused(rita, query):
    assert (await rita.get(PATH, params=query)).status_code == 422


async def test_filters_are_combined(rita, alice, bob):
    await rita.post(f"{PATH}/{bob.id}/disable", None)

    assert await found(rita, status="disabled") == [bob.email]
    assert await found(rita, status="active") == [alice.email, rita.email]
    assert await found(rita, status="active", q="bob") == []
    assert await found(rita, email=bob.email, q="alice") == []


async def test_pages_contain_every_user_once(api, rita):
    for number in range(7):
        await register(api, f"friend{number}")
    seen, cursor = [], None
    while True:
        query = {"q": "friend", "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await rita.get(PATH, params=query)).json()
        seen += [user["email"] for user in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [f"friend{number}@example.com" for number in reversed(range(7))]


@pytest.mark.one_database
async def test_a_cursor_of_another_search_is_refused(rita, alice, bob):
    cursor = (await rita.get(PATH, params={"limit": 1})).json()["next_cursor"]

    for query in ({"q": "a"}, {"status": "active"}, {"email": "a"}):
        answer = await rita.get(PATH, params={"cursor": cursor, **query})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


async def test_a_page_scans_a_limited_number_of_rows(api, rita, monkeypatch):
    monkeypatch.setattr(search, "SCAN_LIMIT", 3)
    for number in range(10):
        await register(api, f"friend{number}", first_name="Zoe" if number in (1, 8) else None)
    pages, cursor = [], None
    while cursor or not pages:
        query = {"q": "zoe", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await rita.get(PATH, params=query)).json()
        pages.append([user["email"] for user in page["items"]])
        cursor = page["next_cursor"]

    # Ten friends and Rita, three at a time, the latest first: the second three have none of them.
    assert pages == [["friend8@example.com"], [], ["friend1@example.com"], []]


async def test_an_indexed_search_is_not_limited(rita, alice, bob, monkeypatch):
    monkeypatch.setattr(search, "SCAN_LIMIT", 1)

    assert await found(rita, email=alice.email) == [alice.email]
    assert await found(rita) == [bob.email, alice.email, rita.email]


async def test_q_with_a_whole_address_finds_every_match(api, rita, alice):
    await join(api, "malice")

    assert await found(rita, q=alice.email) == ["malice@example.com", alice.email]
