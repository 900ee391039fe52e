"""GET /api/v1/admin/users"""

import pytest

from goodword.admin import search
from people import join, register

PATH = "/api/v1/admin/users"


async def found(rita, **query):
    answer = await rita.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [user["email"] for user in answer.json()["items"]]


async def test_it_lists_everybody_the_latest_first(rita, alice, bob):
    assert await found(rita) == [bob.email, alice.email, rita.email]


async def test_it_shows_what_an_account_is(rita, alice):
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
    }


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@Example.COM"])
async def test_it_finds_a_whole_address_as_sign_in_does(rita, alice, email):
    assert await found(rita, email=email) == [alice.email]


@pytest.mark.parametrize("email", ["alice", "alice@example", "", "@", "alice@example.com.", "%", "a" * 320])
async def test_it_finds_nobody_by_what_is_no_address_of_theirs(rita, alice, email):
    assert await found(rita, email=email) == []


@pytest.mark.parametrize("part", ["alice", "ALI", "lidd", "Alice Lid", "ce@exam", "alice@example.com"])
async def test_it_finds_a_part_of_an_address_or_name(rita, alice, bob, part):
    assert await found(rita, q=part) == [alice.email]


@pytest.mark.parametrize("part", ["änne", "Änne", "ßler"])
async def test_it_finds_names_in_other_letters_on_both_databases(api, rita, part):
    await join(api, "anne", first_name="Änne", last_name="Keßler")

    assert await found(rita, q=part) == ["anne@example.com"]


@pytest.mark.parametrize("part", ["%", "_", "\\", "a%c", "' OR 1=1 --", "*", "💥", "%00"])
async def test_it_takes_signs_as_they_are(rita, alice, part):
    assert await found(rita, q=part) == []


@pytest.mark.parametrize(
    "query", [{"q": ""}, {"q": "a" * 101}, {"q": "\0"}, {"status": "gone"}, {"limit": 0}]
)
async def test_it_refuses_what_makes_no_sense(rita, query):
    assert (await rita.get(PATH, params=query)).status_code == 422


async def test_it_narrows_by_all_that_is_asked(rita, alice, bob):
    await rita.post(f"{PATH}/{bob.id}/disable", None)

    assert await found(rita, status="disabled") == [bob.email]
    assert await found(rita, status="active") == [alice.email, rita.email]
    assert await found(rita, status="active", q="bob") == []
    assert await found(rita, email=bob.email, q="alice") == []


async def test_it_pages_through_all(api, rita):
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


async def test_a_cursor_is_good_for_its_own_search(rita, alice, bob):
    cursor = (await rita.get(PATH, params={"limit": 1})).json()["next_cursor"]

    for query in ({"q": "a"}, {"status": "active"}, {"email": "a"}):
        answer = await rita.get(PATH, params={"cursor": cursor, **query})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


async def test_of_many_a_stretch_is_looked_through_at_once_and_the_pages_join(api, rita, monkeypatch):
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


async def test_what_has_an_index_is_found_at_once(rita, alice, bob, monkeypatch):
    monkeypatch.setattr(search, "SCAN_LIMIT", 1)

    assert await found(rita, email=alice.email) == [alice.email]
    assert await found(rita) == [bob.email, alice.email, rita.email]


async def test_a_whole_address_as_a_part_finds_all_that_it_is_in(api, rita, alice):
    await join(api, "malice")

    assert await found(rita, q=alice.email) == ["malice@example.com", alice.email]
