"""POST /oauth/token with the refresh token of our own sign-in"""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from people import sign_in

PATH = "/oauth/token"
KEYS = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
COUNTERS = "SELECT counter FROM sessions"


async def refresh(api, token, **more):
    form = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return await api.post(PATH, data=form)


async def works(api, tokens):
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return (await api.get("/api/v1/me", headers=headers)).status_code == 200


def refused(answer, error="invalid_grant"):
    """Whether an answer is this error in the form of RFC 6749 §5.2."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() <= {"error", "error_description"}
    return (answer.status_code, answer.json()["error"]) == (400, error)


async def test_refresh_returns_a_new_pair(alice):
    answer = await refresh(alice.api, alice.tokens["refresh_token"])

    assert answer.status_code == 200
    tokens = answer.json()
    assert tokens.keys() >= KEYS
    assert tokens["refresh_token"] != alice.tokens["refresh_token"]
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", alice.tokens["scope"])
    assert answer.headers["cache-control"] == "no-store"
    assert await works(alice.api, tokens)


async def test_hundred_refreshes_return_distinct_tokens(alice, rows):
    token, seen, counters = alice.tokens["refresh_token"], set(), []
    for _ in range(100):
        token = (await refresh(alice.api, token)).json()["refresh_token"]
        seen.add(token)
        counters += await rows(COUNTERS)

    assert len(seen) == 100
    assert counters == [(n,) for n in range(1, 101)]


async def test_twenty_concurrent_refreshes_rotate_once(alice, rows):
    token = alice.tokens["refresh_token"]

    answers = await asyncio.gather(*(refresh(alice.api, token) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await rows(COUNTERS) == [(1,)]
    assert await works(alice.api, answers[-1].json())


async def test_previous_refresh_token_gets_the_current_one_for_ten_seconds(alice):
    first = (await refresh(alice.api, alice.tokens["refresh_token"])).json()
    answer = await refresh(alice.api, alice.tokens["refresh_token"])

    assert answer.status_code == 200
    again = answer.json()
    assert again["refresh_token"] == first["refresh_token"]
    assert (await refresh(alice.api, again["refresh_token"])).status_code == 200


async def test_previous_refresh_token_ends_the_session_after_ten_seconds(alice, clock):
    fresh = (await refresh(alice.api, alice.tokens["refresh_token"])).json()
    elsewhere = (await sign_in(alice.api, alice.email)).json()
    clock.forward(seconds=10)

    assert refused(await refresh(alice.api, alice.tokens["refresh_token"]))

    assert not await works(alice.api, fresh)
    assert refused(await refresh(alice.api, fresh["refresh_token"]))
    assert await works(alice.api, elsewhere)
    assert (await refresh(alice.api, elsewhere["refresh_token"])).status_code == 200


async def test_refresh_token_before_the_previous_one_ends_the_session(alice):
    second = (await refresh(alice.api, alice.tokens["refresh_token"])).json()
    third = (await refresh(alice.api, second["refresh_token"])).json()
    elsewhere = (await sign_in(alice.api, alice.email)).json()

    assert refused(await refresh(alice.api, alice.tokens["refresh_token"]))

    assert not await works(alice.api, third)
    assert refused(await refresh(alice.api, third["refresh_token"]))
    assert await works(alice.api, elsewhere)


async def test_an_older_one_ends_the_session_even_after_a_grace(alice, clock):
    tokens = [alice.tokens]
    for _ in range(4):
        tokens.append((await refresh(alice.api, tokens[-1]["refresh_token"])).json())
    clock.forward(days=1)

    assert refused(await refresh(alice.api, tokens[1]["refresh_token"]))
    assert refused(await refresh(alice.api, tokens[-1]["refresh_token"]))


async def test_reason_of_an_ended_session_is_stored(alice, clock, rows):
    await refresh(alice.api, alice.tokens["refresh_token"])
    clock.forward(seconds=10)

    await refresh(alice.api, alice.tokens["refresh_token"])

    assert await rows("SELECT revoked_reason FROM sessions") == [("refresh_token_replayed",)]


async def test_an_unused_session_ends_after_thirty_days(alice, clock):
    clock.forward(days=29, hours=23)
    fresh = (await refresh(alice.api, alice.tokens["refresh_token"])).json()

    clock.forward(days=30)

    assert refused(await refresh(alice.api, fresh["refresh_token"]))


async def test_a_used_session_ends_after_ninety_days(alice, clock):
    token = alice.tokens["refresh_token"]
    for _ in range(4):
        clock.forward(days=22)
        token = (await refresh(alice.api, token)).json()["refresh_token"]

    clock.forward(days=2)

    assert refused(await refresh(alice.api, token))


async def test_altered_refresh_token_is_refused_and_ends_no_session(alice):
    token = alice.tokens["refresh_token"]
    places = [(place, place % 6) for place in range(len(token))] + [(-1, bit) for bit in range(6)]
    for place, bit in places:
        letters = list(token)
        letters[place] = chr(ord(letters[place]) ^ 1 << bit)
        assert refused(await refresh(alice.api, "".join(letters))), (place, bit)

    assert (await refresh(alice.api, token)).status_code == 200


@pytest.mark.one_database
async def test_other_spellings_of_a_refresh_token_are_refused(alice):
    token = alice.tokens["refresh_token"]
    body = token.removeprefix("gwr_")
    others = [token[:cut] for cut in (0, 1, 4, 10, 57)] + [body, f"{token}=", f"{token}==", f"{token}A"]
    others += [
        f" {token}",
        f"{token}\n",
        f"gwr_{token}",
        f"GWR_{body}",
        token.swapcase(),
        f"{token}\0",
        "é",
        "=" * 58,
    ]

    for other in filter(None, others):
        assert refused(await refresh(alice.api, other)), other

    assert (await refresh(alice.api, token)).status_code == 200


async def test_access_token_is_refused_as_refresh_token(alice):
    assert refused(await refresh(alice.api, alice.tokens["access_token"]))


WRONG_FORMS = {
    "empty": ("", "invalid_request"),
    "no grant_type": ("refresh_token=x", "invalid_request"),
    "empty grant_type": ("grant_type=&refresh_token=x", "invalid_request"),
    "no token": ("grant_type=refresh_token", "invalid_request"),
    "empty token": ("grant_type=refresh_token&refresh_token=", "invalid_request"),
    "password grant": ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
    "unknown grant": ("grant_type=refresh_tokens&refresh_token=x", "unsupported_grant_type"),
    "repeated token": ("grant_type=refresh_token&refresh_token=x&refresh_token=x", "invalid_request"),
    "repeated grant": ("grant_type=refresh_token&grant_type=password&refresh_token=x", "invalid_request"),
    "too many fields": (
        "grant_type=refresh_token&" + "&".join(f"p{n}=x" for n in range(40)),
        "invalid_request",
    ),
    "invalid UTF-8": ("grant_type=refresh_token&refresh_token=%ff", "invalid_request"),
}


@pytest.mark.one_database
@pytest.mark.parametrize(("form", "error"), WRONG_FORMS.values(), ids=WRONG_FORMS)
async def test_it_refuses_the_form(api, form, error):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert refused(await api.post(PATH, content=form, headers=headers), error)


@pytest.mark.one_database
@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", "", None]
)
async def test_it_takes_a_form_alone(alice, kind):
    form = f"grant_type=refresh_token&refresh_token={alice.tokens['refresh_token']}"
    headers = {"Content-Type": kind} if kind is not None else {}

    assert refused(await alice.api.post(PATH, content=form, headers=headers), "invalid_request")


@pytest.mark.one_database
async def test_it_does_not_take_json(alice):
    body = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}

    assert refused(await alice.api.post(PATH, json=body), "invalid_request")


@pytest.mark.one_database
async def test_it_does_not_take_a_token_from_the_query(alice):
    query = {"grant_type": "refresh_token", "refresh_token": alice.tokens["refresh_token"]}

    answer = await alice.api.post(PATH, params=query, data={"grant_type": "refresh_token"})

    assert refused(answer, "invalid_request")


@pytest.mark.one_database
async def test_no_answer_shows_the_token(alice):
    token = "gwr_c4n4ry" + alice.tokens["refresh_token"][10:]

    assert "c4n4ry" not in (await refresh(alice.api, token)).text


async def test_the_database_refuses_to_lower_the_counter(alice, app, rows):
    await refresh(alice.api, alice.tokens["refresh_token"])

    with pytest.raises(DBAPIError, match="the counter of a session only grows"):
        async with app.state.services.database.transaction() as session:
            await session.execute(text("UPDATE sessions SET counter = counter - 1"))

    assert await rows(COUNTERS) == [(1,)]


async def test_replay_of_a_refresh_token_notifies_the_user(alice, clock, post):
    await post()
    token = alice.tokens["refresh_token"]
    await refresh(alice.api, token)
    clock.forward(seconds=11)

    assert refused(await refresh(alice.api, token))
    assert refused(await refresh(alice.api, token))

    assert (await post.only(alice.email)).kind == "session_replayed"
