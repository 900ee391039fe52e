"""GET /api/v1/me/sessions"""

import pytest

from people import sign_in

PATH = "/api/v1/me/sessions"
KEYS = {"id", "current", "device", "created_at", "last_used_at", "expires_at"}


async def devices(person):
    return [one["device"] for one in (await person.get(PATH)).json()["items"]]


async def test_list_sessions_shows_device_and_place(alice):
    await sign_in(alice.api, alice.email)

    answer = await alice.get(PATH)

    assert answer.status_code == 200
    assert answer.json()["next_cursor"] is None
    assert [one["current"] for one in answer.json()["items"]] == [False, True]


async def test_list_sessions_returns_the_documented_fields(alice):
    assert (await alice.get(PATH)).json()["items"][0].keys() >= KEYS


async def test_list_sessions_hides_sessions_of_others(alice, mallory):
    theirs = {one["id"] for one in (await mallory.get(PATH)).json()["items"]}

    assert len(theirs) == 1
    assert theirs.isdisjoint(one["id"] for one in (await alice.get(PATH)).json()["items"])


async def test_list_sessions_is_ordered_by_last_use(alice, clock):
    old = alice.tokens["refresh_token"]
    clock.forward(minutes=1)
    await sign_in(alice.api, alice.email)
    clock.forward(minutes=1)

    await alice.api.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": old})

    items = (await alice.get(PATH)).json()["items"]
    assert [one["current"] for one in items] == [True, False]
    assert items[0]["last_used_at"] > items[0]["created_at"]


async def test_list_sessions_omits_ended_sessions(alice, clock):
    await sign_in(alice.api, alice.email)
    clock.forward(days=31)
    await alice.sign_in()

    assert [one["current"] for one in (await alice.get(PATH)).json()["items"]] == [True]


BROWSERS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": "Firefox on Linux",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120": "Edge on Windows",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17 Safari/604.1": "Safari on iPhone",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile": "Chrome on Android",
    "curl/8.5.0": "curl",
    "": None,
    "/": None,
    "<script>/1": "<script>",
    "x" * 5000: "x" * 32,
    b"caf\xc3\xa9/1": None,
}


@pytest.mark.one_database
@pytest.mark.parametrize(("agent", "device"), BROWSERS.items(), ids=range(len(BROWSERS)))
async def test_list_sessions_names_the_client_approximately(alice, agent, device):
    await alice.api.post(
        "/api/v1/sessions",
        json={"email": alice.email, "password": alice.password},
        headers={"User-Agent": agent},
    )

    assert (await devices(alice))[0] == device


async def test_list_sessions_has_pages(alice, clock):
    for device in ("one", "two", "three"):
        clock.forward(minutes=1)
        await alice.api.post(
            "/api/v1/sessions",
            json={"email": alice.email, "password": alice.password},
            headers={"User-Agent": device},
        )
    whole = (await alice.get(PATH)).json()["items"]

    first = (await alice.get(PATH, params={"limit": 3})).json()
    last = (await alice.get(PATH, params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [one["device"] for one in first["items"]] == ["three", "two", "one"]
    assert first["items"] + last["items"] == whole
    assert last["next_cursor"] is None


async def test_list_sessions_refuses_a_cursor_of_another_user(alice, mallory):
    await mallory.sign_in()
    theirs = (await mallory.get(PATH, params={"limit": 1})).json()["next_cursor"]

    answer = await alice.get(PATH, params={"cursor": theirs})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    assert (await alice.get(PATH, params={"limit": 0})).status_code == 422
