"""C04: who tries on and on waits on and on; the person and the audit are told of the lock, not of each try."""

import pytest

from asgi import client_of, run_due_jobs
from people import PASSWORD, sign_in

WRONG = "not the password at all"
LOCKS = "SELECT actor, address, details FROM audit_events WHERE action = 'sign_in.locked' ORDER BY id"


@pytest.mark.one_database
async def test_c04_a_hundred_and_one_failures_are_one_lock_one_row_and_one_letter(
    app, api, alice, post, rows, clock
):
    await post()
    waits = []
    async with client_of(app, peer="192.0.2.7") as attacker:
        for _ in range(101):
            answer = await sign_in(attacker, alice.email, WRONG)
            if answer.status_code == 429:
                waits.append(int(answer.headers["retry-after"]))
                clock.forward(seconds=waits[-1])
                answer = await sign_in(attacker, alice.email, WRONG)
            assert answer.status_code == 401
            await run_due_jobs(app)
        clock.forward(seconds=899)
        assert (await sign_in(attacker, alice.email)).status_code == 429, "the right password waits as well"

    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[10:]) == {900}, "the cap, and never off"
    assert await rows(LOCKS) == [("anonymous", "192.0.2.7", '{"failures":5,"where":"one network"}')]
    assert [letter.kind for letter in await post(to=alice.email)] == ["sign_in_locked"]


async def test_c04_twenty_failures_from_anywhere_are_a_lock_of_their_own(app, alice, post, rows):
    await post()
    for third in range(20):
        async with client_of(app, peer=f"198.51.{third}.7") as client:
            assert (await sign_in(client, alice.email, WRONG)).status_code == 401

    assert [letter.kind for letter in await post(to=alice.email)] == ["sign_in_locked"]
    assert await rows(LOCKS) == [("anonymous", "198.51.19.7", '{"failures":20,"where":"anywhere"}')]


async def test_c04_an_address_of_nobody_gets_neither(api, app, post, rows):
    for _ in range(6):
        await sign_in(api, "nobody@example.com", WRONG)
        await sign_in(api, "no address at all", WRONG)

    assert await post() == []
    assert await rows(LOCKS) == []
    assert await rows("SELECT outcome FROM jobs WHERE kind = 'sign_in_locked'") == [("done",), ("done",)]


async def test_c04_another_lock_on_another_day_is_another_letter(api, alice, post, clock):
    await post()
    for _ in range(2):
        for _ in range(6):
            await sign_in(api, alice.email, WRONG)
        assert [letter.kind for letter in await post()] == ["sign_in_locked"]
        clock.forward(days=2)


async def test_c04_another_lock_on_the_same_day_is_a_row_and_no_letter(api, alice, post, rows, clock):
    await post()
    for _ in range(2):
        for _ in range(6):
            await sign_in(api, alice.email, WRONG)
        clock.forward(hours=1)

    assert [letter.kind for letter in await post()] == ["sign_in_locked"]
    assert len(await rows(LOCKS)) == 2


GUESSES = {
    "a change of the password": (
        "PUT",
        "/api/v1/me/password",
        lambda password: {"current_password": password, "new_password": "quiet otters swim at dawn"},
        204,
    ),
    "the erasure": ("DELETE", "/api/v1/me", lambda password: {"password": password}, 204),
    "a change of the address": (
        "POST",
        "/api/v1/me/email-changes",
        lambda password: {"email": "alice@example.org", "password": password},
        202,
    ),
}


@pytest.mark.parametrize(("method", "path", "body", "done"), GUESSES.values(), ids=GUESSES)
async def test_c04_a_stolen_session_cannot_guess_the_password(
    alice, post, rows, clock, method, path, body, done
):
    await post()
    for _ in range(5):
        answer = await alice.call(method, path, json=body(WRONG))
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")

    for password in (WRONG, PASSWORD):
        answer = await alice.call(method, path, json=body(password))
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
        assert answer.headers["retry-after"] == "1"
    assert [letter.kind for letter in await post()] == ["sign_in_locked"]
    assert len(await rows(LOCKS)) == 1

    clock.forward(seconds=2)
    assert (await alice.call(method, path, json=body(PASSWORD))).status_code == done


async def test_password_guesses_within_a_session_count_together(alice):
    answers = [
        await alice.call(method, path, json=body(WRONG))
        for _ in range(2)
        for method, path, body, _ in GUESSES.values()
    ]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]


async def test_failed_sign_ins_of_others_do_not_block_a_password_change(api, alice):
    for _ in range(6):
        await sign_in(api, alice.email, WRONG)

    method, path, body, done = GUESSES["a change of the password"]
    assert (await alice.call(method, path, json=body(PASSWORD))).status_code == done


async def test_the_right_password_begins_the_count_anew(alice):
    path, body = "/api/v1/me/email-changes", GUESSES["a change of the address"][2]
    for _ in range(3):
        for _ in range(4):
            assert (await alice.post(path, body(WRONG))).status_code == 403
        assert (await alice.post(path, body(PASSWORD))).status_code == 202
