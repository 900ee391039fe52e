"""GET /r/{code}/card.png: the picture of a link in previews of messengers."""

from typing import Any

import pytest

from people import make_code
from second_service import second_service

pytestmark = pytest.mark.one_database


def size(picture):
    """Return the width and height of a PNG (its IHDR chunk)."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])


async def card(api, code, **headers):
    answer = await api.get(f"/r/{code}/card.png", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def test_it_is_a_picture_that_other_sites_can_show(api, alice):
    code = (await make_code(alice))["code"]

    answer = await card(api, code)

    assert size(answer.content) == (1200, 630)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_it_shows_the_brand_the_inviter_and_the_offer(database_url, api, alice, bob):
    codes = [(await make_code(person))["code"] for person in (alice, bob)]
    pictures = {(await card(api, code)).content for code in codes}
    pictures.add((await card(api, codes[0], **{"Accept-Language": "ru"})).content)
    for name, value in {"brand_name": "Acme", "brand_color": "#884400", "offer": "Free <now> & more"}.items():
        settings: dict[str, Any] = {name: value}
        async with second_service(database_url, **settings) as client:
            pictures.add((await card(client, codes[0])).content)

    assert len(pictures) == 6


async def test_a_name_that_the_font_cannot_show_is_left_out(api, alice, bob):
    codes = [(await make_code(person))["code"] for person in (alice, bob)]
    for person, name in ((alice, "李明"), (bob, "<&>\u0301"[:3])):
        await person.call("PATCH", "/api/v1/me", json={"first_name": name, "last_name": None})
    unnamed, named = [(await card(api, code)).content for code in codes]
    await alice.call("PATCH", "/api/v1/me", json={"first_name": None})

    assert (await card(api, codes[0])).content == unnamed != named


@pytest.mark.parametrize("code", ["NOSUCHCODE", "%20", "a/b"])
async def test_there_is_none_without_a_usable_code(api, code):
    assert (await api.get(f"/r/{code}/card.png")).status_code == 404
