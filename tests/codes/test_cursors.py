"""`cursor` of GET /api/v1/me/referral-codes: only an unchanged cursor of the same list is accepted."""

import pytest

from people import join, make_code

pytestmark = pytest.mark.one_database

PATH = "/api/v1/me/referral-codes"


@pytest.fixture
async def cursor(alice):
    """Return the cursor of Alice's second page."""
    for _ in range(2):
        await make_code(alice, active=False)
    answer = await alice.get(PATH, params={"limit": 1})
    return answer.json()["next_cursor"]


async def response(person, cursor, **query):
    answer = await person.get(PATH, params={"cursor": cursor, **query})
    return answer.status_code, answer.json().get("code")


REFUSED = (400, "cursor_invalid")


async def test_a_cursor_can_be_reused_with_another_limit(alice, cursor):
    for limit in (1, 1, 50):
        assert await response(alice, cursor, limit=limit) == (200, None)


async def test_a_cursor_reveals_nothing(alice, cursor):
    assert alice.id not in cursor
    assert cursor.startswith("gwp_")
    assert cursor.replace("-", "").replace("_", "").isalnum()


async def test_a_changed_character_is_detected(alice, cursor):
    for place, character in enumerate(cursor):
        for other in {"A", "B", "_", chr(ord(character) ^ 1)} - {character}:
            edited = cursor[:place] + other + cursor[place + 1 :]
            assert await response(alice, edited) == REFUSED, place


async def test_truncation_is_detected(alice, cursor):
    for length in range(len(cursor)):
        assert await response(alice, cursor[:length]) == REFUSED, length


@pytest.mark.parametrize("more", ["=", "==", "A", "AAAA", "\n", " ", "\x00", "&", "é", "A" * 1000])
async def test_appended_text_is_detected(alice, cursor, more):
    assert await response(alice, cursor + more) == REFUSED
    assert await response(alice, more + cursor) == REFUSED


@pytest.mark.parametrize("text", ["", "0", "null", "AAAA" * 10, "é", "....", "' OR 1=1 --", "A" * 3000])
async def test_arbitrary_text_is_refused(alice, text):
    assert await response(alice, text) == REFUSED


@pytest.mark.parametrize("status", ["prepared", "active"])
async def test_a_cursor_without_a_filter_is_refused_with_one(alice, cursor, status):
    assert await response(alice, cursor, status=status) == REFUSED


async def test_a_cursor_with_a_filter_is_refused_without_it(alice):
    for _ in range(2):
        await make_code(alice, active=False)
    answer = await alice.get(PATH, params={"limit": 1, "status": "prepared"})
    cursor = answer.json()["next_cursor"]

    assert await response(alice, cursor, status="prepared") == (200, None)
    assert await response(alice, cursor) == REFUSED


async def test_another_users_cursor_is_refused(mallory, cursor):
    assert await response(mallory, cursor) == REFUSED


async def test_a_cursor_of_another_list_is_refused(api, alice):
    code = await make_code(alice)
    for name in ("bob", "carol"):
        await join(api, name, referral_code=code["code"])
    answer = await alice.get(f"/api/v1/users/{alice.id}/referrals", params={"limit": 1})

    assert await response(alice, answer.json()["next_cursor"]) == REFUSED
