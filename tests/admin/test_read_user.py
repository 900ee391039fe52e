"""GET /api/v1/admin/users/{user_id}"""

import uuid

import pytest

from people import PASSWORD, begin_sessions, join, make_code

pytestmark = pytest.mark.one_database

PATH = "/api/v1/admin/users"


async def test_a_user_has_codes_sessions_and_referrer(api, rita, alice):
    code = await make_code(alice)
    bob = await join(api, "bob", referral_code=code["code"])
    await bob.sign_in()

    shown = (await rita.get(f"{PATH}/{bob.id}")).json()
    of_alice = (await rita.get(f"{PATH}/{alice.id}")).json()

    assert (shown["email"], shown["referred_by"], shown["sessions"]) == (bob.email, "Alice L.", 2)
    assert shown["codes"] == []
    assert [(one["code"], one["status"], one["uses"]) for one in of_alice["codes"]] == [
        (code["code"], "active", 1)
    ]
    assert "password" not in str(shown)


@pytest.mark.parametrize(
    "email",
    [
        "аlice@example.com",  # Cyrillic а
        "Аliсе@example.com",
        "αlice@example.com",  # Greek alpha
        "alice@ехample.com",  # Cyrillic in the domain
    ],
)
async def test_a_confusable_address_is_flagged(api, rita, alice, email):
    """B06: another person, and whose address it could be taken for."""
    answer = await api.post("/api/v1/users", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201

    shown = (await rita.get(f"{PATH}/{answer.json()['id']}")).json()

    assert (shown["email"], shown["looks_like"]) == (email, alice.id)
    assert (await rita.get(f"{PATH}/{alice.id}")).json()["looks_like"] is None


@pytest.mark.parametrize("email", ["алиса@example.com", "alice2@example.com", "аnna@example.com"])
async def test_other_addresses_are_not_flagged(api, rita, alice, email):
    answer = await api.post("/api/v1/users", json={"email": email, "password": PASSWORD})

    assert (await rita.get(f"{PATH}/{answer.json()['id']}")).json()["looks_like"] is None


async def test_every_active_session_is_counted(app, rita, alice):
    await begin_sessions(app, alice, 120)

    assert (await rita.get(f"{PATH}/{alice.id}")).json()["sessions"] == 121


async def test_an_erased_user_has_no_personal_data(rita, alice):
    await make_code(alice)
    await rita.delete(f"{PATH}/{alice.id}")

    shown = (await rita.get(f"{PATH}/{alice.id}")).json()

    assert (shown["status"], shown["email"], shown["first_name"]) == ("erased", None, None)
    assert shown["erased_at"]
    assert [code["code"] for code in shown["codes"]] == [None]


async def test_an_unknown_user_is_refused(rita):
    answer = await rita.get(f"{PATH}/{uuid.uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    assert (await rita.get(f"{PATH}/%00")).status_code == 422
