"""The home page: codes are created, shared, activated and deleted."""

import asyncio
import re

import pytest
from sqlalchemy import text as sql

from asgi import client_of
from pages.pressing import press
from people import PASSWORD, make_code, register
from second_service import second_service
from third_party import Browser, Form

pytestmark = pytest.mark.one_database

FOREIGN = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]


@pytest.fixture
async def signed_in(browser: Browser, alice) -> Browser:
    """Return a browser in which Alice is signed in."""
    await browser.sign_in(alice)
    return browser


async def codes_of(person, **query):
    return (await person.get("/api/v1/me/referral-codes", params=query)).json()["items"]


def wrong(page):
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))


async def test_creates_a_code_that_can_be_used(signed_in, alice, api):
    answer = await press(signed_in, "/", "/", lifetime="604800", code="ALICE-2030", max_uses="5")

    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=created")
    assert "Your link is ready" in (await signed_in.get("/?done=created")).text
    (code,) = await codes_of(alice)
    assert (code["code"], code["status"], code["max_uses"]) == ("ALICE-2030", "active", 5)
    home = await signed_in.get("/")
    assert home.headers["cache-control"] == "no-store"
    assert f'href="{code["link"]}"' in home.text
    assert f'data-copy="{code["link"]}"' in home.text
    assert "<strong>6</strong> days left" in home.text
    assert (await register(api, "carol", referral_code="ALICE-2030")).status_code == 201
    assert "1 of 5" in (await signed_in.get("/")).text


async def test_says_how_many_joined_and_are_pending(signed_in, alice, api, app):
    code = await make_code(alice)
    for name in ("carol", "dave", "erin"):
        await register(api, name, referral_code=code["code"])
    async with app.state.services.database.transaction() as session:
        pending = "UPDATE referrals SET status = 'pending' WHERE id = (SELECT max(id) FROM referrals)"
        await session.execute(sql(pending))

    home = (await signed_in.get("/")).text
    in_russian = (await signed_in.get("/", headers={"Accept-Language": "ru"})).text

    assert "<strong>2</strong> joined" in home
    assert "<strong>1</strong> pending" in home
    assert "<strong>2</strong> присоединились" in in_russian
    assert "<strong>1</strong> ожидает" in in_russian


async def test_the_first_code_needs_one_press(signed_in, alice):
    home = (await signed_in.get("/")).text
    page = Form(home)

    assert "Create my link" in home
    assert (
        await signed_in.client.post(page.action, data=page.fields | {"lifetime": "2592000"})
    ).status_code == 303
    assert len(await codes_of(alice)) == 1


async def test_the_first_code_can_come_by_itself(database_url, rows):
    async with second_service(database_url, first_code="automatic") as client:
        assert (await register(client, "carol")).status_code == 201
        browser = Browser(client)
        await browser.send(await browser.get("/sign-up"), email="dave@example.com", password=PASSWORD)
        home = (await browser.get("/")).text

    assert "data-copy=" in home
    assert await rows("SELECT count(*), count(DISTINCT owner_id) FROM referral_codes") == [(2, 2)]


async def test_generates_a_code_by_default(signed_in, alice):
    assert (await press(signed_in, "/", "/", lifetime="86400")).status_code == 303

    (code,) = await codes_of(alice)
    assert len(code["code"]) == 10
    assert code["max_uses"] is None


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"code": "a"}, "code", "4 to 32 Latin letters"),
        ({"code": "привет"}, "code", "4 to 32 Latin letters"),
        ({"code": "admin"}, "code", "is reserved"),
        ({"code": "x" * 65}, "code", "too long"),
        ({"code": '"><b>x'}, "code", "4 to 32 Latin letters"),
        ({"code": "TAKEN-BY-BOB"}, "code", "already taken"),
        ({"max_uses": "many"}, "max_uses", "whole number"),
        ({"max_uses": "-1"}, "max_uses", "whole number"),
        ({"max_uses": "0"}, "max_uses", "too small"),
        ({"max_uses": "9999999"}, "max_uses", "too large"),
        ({"lifetime": "1"}, "lifetime", "how long"),
        ({"lifetime": "99999999"}, "lifetime", "how long"),
        ({"lifetime": "for ever"}, "lifetime", "whole number"),
    ],
)
async def test_shows_errors_beside_their_fields(signed_in, alice, bob, fields, name, said):
    await make_code(bob, code="TAKEN-BY-BOB")

    answer = await press(signed_in, "/", "/", **{"lifetime": "604800", **fields})

    assert answer.status_code in (409, 422)
    assert list(wrong(answer)) == [name]
    assert said in wrong(answer)[name]
    assert "<title>Error: " in answer.text
    assert "<b>" not in answer.text
    assert await codes_of(alice) == []


async def test_a_term_is_required(signed_in, alice):
    answer = await press(signed_in, "/", "/")

    assert answer.status_code == 422
    assert "how long the code is valid" in answer.text
    assert await codes_of(alice) == []


@pytest.mark.parametrize("later", [False, True])
async def test_a_form_sent_twice_creates_one_code(signed_in, alice, later):
    if later:
        await make_code(alice)
    home = await signed_in.get("/")
    token, latest = (
        re.search(rf'name="{name}" value="(.*?)"', home.text)[1] for name in ("form_token", "latest")
    )
    data = {"form_token": token, "latest": latest, "lifetime": "604800"} | ({"later": "yes"} if later else {})

    answers = await asyncio.gather(*(signed_in.client.post("/", data=data) for _ in range(4)))

    assert [answer.status_code for answer in answers] == [303] * 4
    assert len(await codes_of(alice)) == 1 + later


async def test_extends_a_code(signed_in, alice):
    code = await make_code(alice, lifetime=3600)

    answer = await press(
        signed_in, "/", "/code/update", of=code["code"], new_lifetime="604800", new_max_uses="5"
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=updated")
    (changed,) = await codes_of(alice)
    assert changed["expires_at"] > code["expires_at"]
    assert changed["max_uses"] == 5
    assert "<strong>6</strong> days left" in (await signed_in.get("/")).text


async def test_an_expired_code_can_be_extended(signed_in, alice, clock):
    code = await make_code(alice, lifetime=60)
    clock.forward(seconds=61)
    assert f"{code['code']}</strong> has expired" in (await signed_in.get("/")).text

    await press(signed_in, "/", "/code/update", of=code["code"], new_lifetime="604800", new_max_uses="")

    assert f'href="{code["link"]}"' in (await signed_in.get("/")).text


async def test_shows_the_errors_of_a_change_beside_their_fields(signed_in, alice, api):
    code = await make_code(alice, max_uses=2)
    for name in ("carol", "dave"):
        await register(api, name, referral_code=code["code"])
    assert "has reached its limit of uses" in (await signed_in.get("/")).text

    for fields, said in (({"new_max_uses": "1"}, "More friends"), ({"new_lifetime": "5"}, "how long")):
        answer = await press(signed_in, "/", "/code/update", of=code["code"], **fields)
        assert answer.status_code == 422
        assert list(wrong(answer)) == list(fields)
        assert said in wrong(answer)[next(iter(fields))]


async def test_prepares_activates_and_deletes_a_code(signed_in, alice):
    first = await make_code(alice)
    assert (
        await press(signed_in, "/", "/", lifetime="604800", code="SPRING", later="yes")
    ).status_code == 303
    assert "will be retired" in (await signed_in.get("/")).text

    for _ in range(2):
        answer = await signed_in.client.post(
            "/code/activate", data=await fields(signed_in, of="SPRING", replace="yes")
        )
        assert answer.status_code == 303

    statuses = {code["code"]: code["status"] for code in await codes_of(alice)}
    assert statuses == {"SPRING": "active", first["code"]: "retired"}
    for _ in range(2):
        answer = await signed_in.client.post("/code/delete", data=await fields(signed_in, of="SPRING"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/?done=deleted")
    assert "SPRING" not in (await signed_in.get("/")).text
    assert [code["code"] for code in await codes_of(alice)] == [first["code"]]


async def fields(browser, **more):
    """Return the fields of every form of the page, and `more`."""
    home = await browser.get("/")
    return {"form_token": re.search(r'name="form_token" value="(\w+)"', home.text)[1], **more}


async def test_activation_does_not_replace_unless_requested(signed_in, alice):
    await make_code(alice)
    await make_code(alice, active=False, code="SPRING")

    answer = await signed_in.client.post("/code/activate", data=await fields(signed_in, of="SPRING"))
    another = await signed_in.client.post("/code/activate", data=await fields(signed_in, of="NO-SUCH"))

    assert (answer.status_code, another.status_code) == (409, 404)
    assert "You already have an active code" in answer.text
    assert "no such code" in another.text


async def test_another_owners_code_is_not_found(signed_in, alice, bob):
    code = await make_code(bob, code="BOBS-OWN", active=False)

    await signed_in.client.post("/code/delete", data=await fields(signed_in, of="BOBS-OWN"))
    answer = await signed_in.client.post("/code/activate", data=await fields(signed_in, of="BOBS-OWN"))

    assert answer.status_code == 404
    assert [one["status"] for one in await codes_of(bob)] == [code["status"]]


@pytest.mark.parametrize("action", ["/", "/code/activate", "/code/delete"])
async def test_forms_of_other_sites_and_sessions_are_refused(signed_in, alice, mallory, app, action):
    await make_code(alice, code="SPRING")
    for headers in FOREIGN:
        refused = await press(
            signed_in, "/", action, headers=headers, lifetime="604800", of="SPRING", later="yes"
        )
        assert refused.status_code == 403
    async with client_of(app) as client:
        others = Browser(client)
        await others.sign_in(mallory)
        theirs = (await fields(others))["form_token"]
        for token in (theirs, "0" * 64, ""):
            data = {"form_token": token, "lifetime": "604800", "of": "SPRING", "later": "yes"}
            assert (await signed_in.client.post(action, data=data)).status_code == 403
        # Mallory with her own token cannot change Alice's code.
        data = {"form_token": theirs, "of": "SPRING", "lifetime": "604800"}
        await client.post(action, data=data)
    assert [code["status"] for code in await codes_of(alice)] == ["active"]


async def test_the_qr_code_can_be_viewed_and_downloaded(signed_in, alice, mallory, browser):
    assert (await signed_in.get("/code/qr.svg")).status_code == 404
    code = await make_code(alice)
    of_api = {
        kind: (await alice.get(f"/api/v1/me/referral-codes/{code['code']}/qr.{kind}")).content
        for kind in ("svg", "png")
    }

    svg, png = await signed_in.get("/code/qr.svg"), await signed_in.get("/code/qr.png?download")

    assert (svg.content, png.content) == (of_api["svg"], of_api["png"])
    assert svg.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert png.headers["content-type"] == "image/png"
    assert svg.headers["cache-control"] == "no-store"
    assert png.headers["content-disposition"] == f'attachment; filename="{code["code"]}.png"'
    assert (await signed_in.get("/code/qr.gif")).status_code == 404


async def test_share_links_are_plain_urls(signed_in, alice):
    await make_code(alice, code="SPRING")

    text = (await signed_in.get("/")).text

    target = "http%3A%2F%2F127.0.0.1%3A8000%2Fr%2FSPRING"
    for start in (
        "mailto:?",
        "https://wa.me/?text=",
        "https://t.me/share/url?url=",
        "https://x.com/intent/post?",
    ):
        (address,) = re.findall(rf'href="({re.escape(start)}[^"]*)"', text)
        assert target in address
    assert not re.search(r"<style|style=|\son\w+=|javascript:", text)
    assert not re.search(r'src="(https?:)?//', text)


async def test_a_name_is_escaped(signed_in, alice):
    await alice.patch("/api/v1/me", {"first_name": "<b>x</b>"})

    for path in ("/", "/people"):
        assert "<b>x" not in (await signed_in.get(path)).text


async def test_pages_require_a_session_after_sign_out(signed_in, alice):
    await make_code(alice)
    data = await fields(signed_in)
    await signed_in.client.post("/sign-out", data=data)

    home = await signed_in.get("/")
    assert "Welcome" in home.text
    assert home.headers["cache-control"] == "no-store"
    picture = await signed_in.get("/code/qr.svg")
    assert (picture.status_code, picture.headers["location"]) == (303, "/sign-in?next=%2F")
    answer = await signed_in.client.post("/", data=data | {"lifetime": "604800"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F")
    assert answer.headers["cache-control"] == "no-store"
    assert len(await codes_of(alice)) == 1


async def test_the_page_is_translated(signed_in, alice):
    await make_code(alice)

    text = (await signed_in.get("/", headers={"Accept-Language": "ru"})).text

    assert "<h1>Пригласите друзей в Goodword</h1>" in text
    assert "Скопировать ссылку" in text


async def test_forms_count_as_writes(database_url, alice):
    async with second_service(database_url, limits="write=2/minute") as client:
        browser = Browser(client)
        await browser.sign_in(alice)
        answers = [await press(browser, "/", "/", lifetime="86400") for _ in range(3)]

        assert [answer.status_code == 429 for answer in answers] == [False, False, True]
        assert (await browser.get("/")).status_code == 200
    assert len(await codes_of(alice)) == 2
