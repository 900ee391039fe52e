"""GET /r/{code}/qr.svg: the public picture of a referral link."""

import pytest

from people import make_code
from second_service import second_service

pytestmark = pytest.mark.one_database


async def test_it_is_a_picture_of_the_link_that_other_sites_can_show(api, alice):
    code = await make_code(alice, code="ALICE-2026")
    own = await alice.get("/api/v1/me/referral-codes/ALICE-2026/qr.svg")

    answer = await api.get("/r/alice2026/qr.svg")

    assert answer.status_code == 200, answer.text
    assert answer.content == own.content
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert code["link"].endswith("/r/ALICE-2026")
    assert (await api.head("/r/ALICE-2026/qr.svg")).status_code == 200


@pytest.mark.parametrize("code", ["NOSUCHCODE", "%20", "a/b"])
async def test_there_is_none_without_a_usable_code(api, code):
    assert (await api.get(f"/r/{code}/qr.svg")).status_code == 404


async def test_a_deleted_code_has_none(api, alice):
    code = (await make_code(alice))["code"]
    assert (await api.get(f"/r/{code}/qr.svg")).status_code == 200

    await alice.call("DELETE", f"/api/v1/me/referral-codes/{code}")

    assert (await api.get(f"/r/{code}/qr.svg")).status_code == 404


async def test_it_is_there_without_pages_and_counts_as_a_look_up(database_url, alice):
    code = (await make_code(alice))["code"]
    async with second_service(database_url, pages="off", limits=("look-up-missing=2/minute",)) as client:
        assert (await client.get(f"/r/{code}/qr.svg")).status_code == 200
        answers = [(await client.get("/r/NOSUCHCODE/qr.svg")).status_code for _ in range(4)]

    assert answers[:2] == [404, 404]
    assert answers[-1] == 429
