"""`cursor` of GET /api/v1/me/referral-codes: a list takes none but its own, and unchanged."""

import pytest

from people import join, make_code

pytestmark = pytest.mark.one_database

PATH = "/api/v1/me/referral-codes"


@pytest.fixture
async def cursor(alice):
    """Where Alice's second page begins."""
    for _ in range(2):
        await make_code(alice, active=False)
    answer = await alice.get(PATH, params={"limit": 1})
    return answer.json()["next_cursor"]


async def verdict(person, cursor, **query):
    answer = await person.get(PATH, params={"cursor": cursor, **query})
    return answer.status_code, answer.json().get("code")


REFUSED = (400, "cursor_invalid")


async def test_it_is_good_again_and_again_and_with_another_limit(alice, cursor):
    for limit in (1, 1, 50):
        assert await verdict(alice, cursor, limit=limit) == (200, None)


async def test_it_tells_nothing(alice, cursor):
    assert alice.id not in cursor
    assert cursor.replace("-", "").replace("_", "").isalnum()


async def test_no_character_of_it_can_be_changed(alice, cursor):
    for place, character in enumerate(cursor):
        for other in {"A", "B", "_", chr(ord(character) ^ 1)} - {character}:
            edited = cursor[:place] + other + cursor[place + 1 :]
            assert await verdict(alice, edited) == REFUSED, place


async def test_nothing_can_be_cut_off(alice, cursor):
    for length in range(len(cursor)):
        assert await verdict(alice, cursor[:length]) == REFUSED, length


@pytest.mark.parametrize("more", ["=", "==", "A", "AAAA", "\n", " ", "\x00", "&", "é", "A" * 1000])
async def test_nothing_can_be_added(alice, cursor, more):
    assert await verdict(alice, cursor + more) == REFUSED
    assert await verdict(alice, more + cursor) == REFUSED


@pytest.mark.parametrize("text", ["", "0", "null", "AAAA" * 10, "é", "....", "' OR 1=1 --", "A" * 3000])
async def test_it_is_nothing_that_somebody_made_up(alice, text):
    assert await verdict(alice, text) == REFUSED


@pytest.mark.parametrize("status", ["prepared", "active"])
async def test_it_is_of_one_filter(alice, cursor, status):
    assert await verdict(alice, cursor, status=status) == REFUSED


async def test_that_of_a_filter_is_of_no_other(alice):
    for _ in range(2):
        await make_code(alice, active=False)
    answer = await alice.get(PATH, params={"limit": 1, "status": "prepared"})
    cursor = answer.json()["next_cursor"]

    assert await verdict(alice, cursor, status="prepared") == (200, None)
    assert await verdict(alice, cursor) == REFUSED


async def test_it_is_of_one_person(mallory, cursor):
    assert await verdict(mallory, cursor) == REFUSED


async def test_it_is_of_one_list(api, alice):
    code = await make_code(alice)
    for name in ("bob", "carol"):
        await join(api, name, referral_code=code["code"])
    answer = await alice.get(f"/api/v1/users/{alice.id}/referrals", params={"limit": 1})

    assert await verdict(alice, answer.json()["next_cursor"]) == REFUSED
