"""External ids in paths: percent-encoded, of any printable characters."""

import pytest

from participants.conftest import path_of

pytestmark = pytest.mark.one_database

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "external_id",
    [
        "a/b",
        "/",
        "//a//",
        "x/codes",
        "a%2Fb",
        "100%",
        "first second",
        "a?b#c",
        "batch",
        ".",
        "..",
        "a@example.com",
        FAMILY,
        "\N{PILE OF POO}" * 255,
        "é" * 255,
        "x" * 255,
    ],
)
async def test_each_operation_finds_it(acme, external_id):
    person = await acme.report(external_id)

    assert person["external_id"] == external_id
    assert await acme.read(external_id) == person
    assert [code["code"] for code in (await acme.get(external_id, "/codes")).json()["items"]] == [
        person["code"]["code"]
    ]
    assert (await acme.get(external_id, "/referrals")).json()["items"] == []
    assert (await acme.post(external_id, "/tokens")).status_code == 201
    assert (await acme.delete(external_id)).status_code == 204
    assert (await acme.get(external_id)).status_code == 404


async def test_an_encoded_slash_is_not_a_slash(acme):
    await acme.report("a/codes")

    assert (await acme.get("a", "/codes")).status_code == 404
    assert (await acme.get("a/codes")).status_code == 200
    assert (await acme.get("a", "/b")).status_code == 404


async def test_forms_of_one_text_are_one_id(acme):
    person = await acme.report("Zoe\N{COMBINING DIAERESIS}")

    assert person["external_id"] == "Zoë"
    assert (await acme.read("Zoë"))["id"] == person["id"]


async def test_case_matters(acme):
    await acme.report("abc")

    assert (await acme.get("ABC")).status_code == 404


@pytest.mark.parametrize(
    "external_id",
    [" ", " a", "a ", "\N{NO-BREAK SPACE}a", "a\nb", "a\x00", "\N{RIGHT-TO-LEFT OVERRIDE}", "x" * 256],
)
async def test_others_are_refused(acme, external_id):
    for answer in (await acme.put(external_id), await acme.get(external_id), await acme.delete(external_id)):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "path.external_id"


async def test_invalid_utf_8_is_refused(acme):
    answer = await acme.call("GET", "/api/v1/participants/%ff")

    assert answer.status_code == 422


async def test_batch_is_an_id_except_with_post(acme):
    await acme.report("batch")

    assert (await acme.batch({"external_id": "x"})).status_code == 200
    assert (await acme.read("batch"))["external_id"] == "batch"
    refused = await acme.call("POST", path_of("other"), json={})
    assert refused.status_code == 405
    assert refused.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert (await acme.call("PATCH", path_of("a/b"), json={})).headers["allow"] == "DELETE, GET, HEAD, PUT"
