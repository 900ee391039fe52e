"""PATCH /api/v1/me"""

import asyncio

import pytest

pytestmark = pytest.mark.one_database

ME = "/api/v1/me"


async def names(person):
    user = (await person.get(ME)).json()
    return user["first_name"], user["last_name"]


async def test_it_changes_both_names(alice):
    answer = await alice.patch(ME, {"first_name": "Lorina", "last_name": "Hargreaves"})

    assert answer.status_code == 200
    assert answer.json() == alice.account | {"first_name": "Lorina", "last_name": "Hargreaves"}
    assert (await alice.get(ME)).json() == answer.json()


async def test_an_omitted_field_stays(alice):
    await alice.patch(ME, {"first_name": "Lorina"})

    assert await names(alice) == ("Lorina", "Liddell")


async def test_null_removes_a_name(alice):
    await alice.patch(ME, {"last_name": None})

    assert await names(alice) == ("Alice", None)


async def test_an_empty_body_changes_nothing(alice):
    answer = await alice.patch(ME, {})

    assert answer.status_code == 200
    assert answer.json() == alice.account


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 101, 1, True, [], {}])
async def test_it_refuses_the_name(alice, name):
    answer = await alice.patch(ME, {"first_name": name, "last_name": "Hargreaves"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.first_name"]
    assert await names(alice) == ("Alice", "Liddell")


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "email",
        "email_verified",
        "is_admin",
        "status",
        "password",
        "referrer_id",
        "referred_by",
        "created_at",
    ],
)
async def test_nothing_else_can_be_changed(alice, rows, field):
    before = await rows("SELECT * FROM users")

    answer = await alice.patch(ME, {"first_name": "Lorina", field: alice.user.get(field, "x")})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert await rows("SELECT * FROM users") == before


async def test_nobody_else_is_changed(alice, mallory):
    await mallory.patch(ME, {"first_name": "Alice", "last_name": "Liddell"})

    assert await names(alice) == ("Alice", "Liddell")
    assert (await alice.get(ME)).json()["id"] != (await mallory.get(ME)).json()["id"]


@pytest.mark.both_databases
async def test_concurrent_updates_do_not_undo_each_other(alice):
    await asyncio.gather(
        alice.patch(ME, {"first_name": "Lorina"}), alice.patch(ME, {"last_name": "Hargreaves"})
    )

    assert await names(alice) == ("Lorina", "Hargreaves")
