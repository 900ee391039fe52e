"""The first page of somebody signed in: making a code, handing it out, taking it back."""

import asyncio
import re

import pytest

from asgi import client_of
from pages.pressing import press
from people import make_code, register
from second_service import second_service
from third_party import Browser

pytestmark = pytest.mark.one_database

FOREIGN = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]


@pytest.fixture
async def at_home(browser: Browser, alice) -> Browser:
    """Alice's browser, signed in."""
    await browser.sign_in(alice)
    return browser


async def codes_of(person, **query):
    return (await person.get("/api/v1/me/referral-codes", params=query)).json()["items"]


def wrong(page):
    return dict(re.findall(r'<p class="wrong" id="(\w+)-error">(.*?)</p>', page.text))


async def test_a_code_is_made_shown_and_works(at_home, alice, api):
    answer = await press(at_home, "/", "/", lifetime="604800", code="ALICE-2030", max_uses="5")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    (code,) = await codes_of(alice)
    assert (code["code"], code["status"], code["max_uses"]) == ("ALICE-2030", "active", 5)
    home = await at_home.get("/")
    assert home.headers["cache-control"] == "no-store"
    assert f'href="{code["link"]}"' in home.text
    assert f'data-copy="{code["link"]}"' in home.text
    assert re.search(r"<dt>Days left</dt>\s*<dd>6</dd>", home.text)
    assert (await register(api, "carol", referral_code="ALICE-2030")).status_code == 201
    assert "1 of 5" in (await at_home.get("/")).text


async def test_a_code_without_wishes_is_drawn(at_home, alice):
    assert (await press(at_home, "/", "/", lifetime="86400")).status_code == 303

    (code,) = await codes_of(alice)
    assert len(code["code"]) == 10
    assert code["max_uses"] is None


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"code": "a"}, "code", "4 to 32 Latin letters"),
        ({"code": "привет"}, "code", "4 to 32 Latin letters"),
        ({"code": "admin"}, "code", "part of our addresses"),
        ({"code": "x" * 65}, "code", "too long"),
        ({"code": '"><b>x'}, "code", "4 to 32 Latin letters"),
        ({"code": "TAKEN-BY-BOB"}, "code", "given out before"),
        ({"max_uses": "many"}, "max_uses", "whole number"),
        ({"max_uses": "-1"}, "max_uses", "whole number"),
        ({"max_uses": "0"}, "max_uses", "too small"),
        ({"max_uses": "9999999"}, "max_uses", "too large"),
        ({"lifetime": "1"}, "lifetime", "how long"),
        ({"lifetime": "99999999"}, "lifetime", "how long"),
        ({"lifetime": "for ever"}, "lifetime", "whole number"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(at_home, alice, bob, fields, name, said):
    await make_code(bob, code="TAKEN-BY-BOB")

    answer = await press(at_home, "/", "/", **{"lifetime": "604800", **fields})

    assert answer.status_code in (409, 422)
    assert list(wrong(answer)) == [name]
    assert said in wrong(answer)[name]
    assert "<title>Error: " in answer.text
    assert "<b>" not in answer.text
    assert await codes_of(alice) == []


async def test_a_code_has_a_term(at_home, alice):
    answer = await press(at_home, "/", "/")

    assert answer.status_code == 422
    assert "how long the code works" in answer.text
    assert await codes_of(alice) == []


@pytest.mark.parametrize("later", [False, True])
async def test_a_form_that_is_sent_twice_makes_one_code(at_home, alice, later):
    if later:
        await make_code(alice)
    home = await at_home.get("/")
    token, latest = (
        re.search(rf'name="{name}" value="(.*?)"', home.text)[1] for name in ("form_token", "latest")
    )
    data = {"form_token": token, "latest": latest, "lifetime": "604800"} | ({"later": "yes"} if later else {})

    answers = await asyncio.gather(*(at_home.client.post("/", data=data) for _ in range(4)))

    assert [answer.status_code for answer in answers] == [303] * 4
    assert len(await codes_of(alice)) == 1 + later


async def test_a_code_is_prepared_put_in_force_and_deleted(at_home, alice):
    first = await make_code(alice)
    assert (await press(at_home, "/", "/", lifetime="604800", code="SPRING", later="yes")).status_code == 303
    assert "stops working then, for good" in (await at_home.get("/")).text

    for _ in range(2):
        answer = await at_home.client.post(
            "/code/activate", data=await fields(at_home, of="SPRING", replace="yes")
        )
        assert answer.status_code == 303

    statuses = {code["code"]: code["status"] for code in await codes_of(alice)}
    assert statuses == {"SPRING": "active", first["code"]: "retired"}
    for _ in range(2):
        answer = await at_home.client.post("/code/delete", data=await fields(at_home, of="SPRING"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "SPRING" not in (await at_home.get("/")).text
    assert [code["code"] for code in await codes_of(alice)] == [first["code"]]


async def fields(browser, **more):
    """What each form of the page carries, and `more`."""
    home = await browser.get("/")
    return {"form_token": re.search(r'name="form_token" value="(\w+)"', home.text)[1], **more}


async def test_a_second_code_does_not_replace_the_first_unasked(at_home, alice):
    await make_code(alice)
    await make_code(alice, active=False, code="SPRING")

    answer = await at_home.client.post("/code/activate", data=await fields(at_home, of="SPRING"))
    another = await at_home.client.post("/code/activate", data=await fields(at_home, of="NO-SUCH"))

    assert (answer.status_code, another.status_code) == (409, 404)
    assert "You have a code that works already" in answer.text
    assert "no such code" in another.text


async def test_a_code_of_somebody_else_is_out_of_reach(at_home, alice, bob):
    code = await make_code(bob, code="BOBS-OWN", active=False)

    await at_home.client.post("/code/delete", data=await fields(at_home, of="BOBS-OWN"))
    answer = await at_home.client.post("/code/activate", data=await fields(at_home, of="BOBS-OWN"))

    assert answer.status_code == 404
    assert [one["status"] for one in await codes_of(bob)] == [code["status"]]


@pytest.mark.parametrize("action", ["/", "/code/activate", "/code/delete"])
async def test_a_form_is_good_for_one_session_and_from_here(at_home, alice, mallory, app, action):
    await make_code(alice, code="SPRING")
    for headers in FOREIGN:
        refused = await press(
            at_home, "/", action, headers=headers, lifetime="604800", of="SPRING", later="yes"
        )
        assert refused.status_code == 403
    async with client_of(app) as client:
        others = Browser(client)
        await others.sign_in(mallory)
        theirs = (await fields(others))["form_token"]
        for token in (theirs, "0" * 64, ""):
            data = {"form_token": token, "lifetime": "604800", "of": "SPRING", "later": "yes"}
            assert (await at_home.client.post(action, data=data)).status_code == 403
        # Signed in as Mallory, with her own token: Alice's code is not hers.
        data = {"form_token": theirs, "of": "SPRING", "lifetime": "604800"}
        await client.post(action, data=data)
    assert [code["status"] for code in await codes_of(alice)] == ["active"]


async def test_the_picture_is_of_the_link_and_can_be_kept(at_home, alice, mallory, browser):
    assert (await at_home.get("/code/qr.svg")).status_code == 404
    code = await make_code(alice)
    of_api = {
        kind: (await alice.get(f"/api/v1/me/referral-codes/{code['code']}/qr.{kind}")).content
        for kind in ("svg", "png")
    }

    svg, png = await at_home.get("/code/qr.svg"), await at_home.get("/code/qr.png?download")

    assert (svg.content, png.content) == (of_api["svg"], of_api["png"])
    assert svg.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert png.headers["content-type"] == "image/png"
    assert svg.headers["cache-control"] == "no-store"
    assert png.headers["content-disposition"] == f'attachment; filename="{code["code"]}.png"'
    assert (await at_home.get("/code/qr.gif")).status_code == 404


async def test_the_link_is_passed_on_by_plain_addresses(at_home, alice):
    await make_code(alice, code="SPRING")

    text = (await at_home.get("/")).text

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


async def test_a_name_is_text(at_home, alice):
    await alice.patch("/api/v1/me", {"first_name": "<b>x</b>"})

    for path in ("/", "/people"):
        assert "<b>x" not in (await at_home.get(path)).text


async def test_after_signing_out_the_pages_are_closed(at_home, alice):
    await make_code(alice)
    data = await fields(at_home)
    await at_home.client.post("/sign-out", data=data)

    home = await at_home.get("/")
    assert "Welcome" in home.text
    assert home.headers["cache-control"] == "no-store"
    picture = await at_home.get("/code/qr.svg")
    assert (picture.status_code, picture.headers["location"]) == (303, "/sign-in?next=%2F")
    answer = await at_home.client.post("/", data=data | {"lifetime": "604800"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F")
    assert answer.headers["cache-control"] == "no-store"
    assert len(await codes_of(alice)) == 1


async def test_the_page_speaks_russian(at_home, alice):
    await make_code(alice)

    text = (await at_home.get("/", headers={"Accept-Language": "ru"})).text

    assert "<h1>Ваш код</h1>" in text
    assert "Скопировать ссылку" in text


async def test_forms_are_counted_as_what_changes_something(database_url, alice):
    async with second_service(database_url, limits="write=2/minute") as client:
        browser = Browser(client)
        await browser.sign_in(alice)
        answers = [await press(browser, "/", "/", lifetime="86400") for _ in range(3)]

        assert [answer.status_code == 429 for answer in answers] == [False, False, True]
        assert (await browser.get("/")).status_code == 200
    assert len(await codes_of(alice)) == 2
