"""POST /api/v1/me/referral-codes with a chosen code."""

import json
from collections import Counter

import pytest

from concurrency import at_once
from people import PASSWORD, join, make_code

PATH = "/api/v1/me/referral-codes"


async def refusal(person, chosen):
    """Return the error of a request for this code."""
    # Serialised here, because the client cannot send a lone surrogate.
    body = json.dumps({"lifetime": 3600, "code": chosen})
    answer = await person.call("POST", PATH, content=body, headers={"Content-Type": "application/json"})
    assert (await person.get(PATH)).json()["items"] == []
    return answer.status_code, answer.json()["code"], [e["code"] for e in answer.json().get("errors", ())]


@pytest.mark.parametrize("chosen", ["abcd", "2030", "ALICE-2030", "-a-b-c-d-", "Zq" * 16])
async def test_a_chosen_code_keeps_its_spelling(alice, chosen):
    code = await make_code(alice, code=chosen)

    assert code["code"] == chosen
    assert code["link"] == f"http://127.0.0.1:8000/r/{chosen}"


INVALID_LENGTHS = ["", "a", "abc", "a" * 33, "----", "-" * 32, "a-b-c", "    ", "---abc---"]


@pytest.mark.one_database
async def test_rejects_an_invalid_length(alice):
    for chosen in INVALID_LENGTHS:
        assert await refusal(alice, chosen) == (422, "code_invalid", ["code_invalid"]), chosen


INVALID = [
    "AB CD", " ABCD", "ABCD ", "AB_CD", "AB.CD", "AB/CD", "../../ABCD", "AB%20CD", "<b>ABCD</b>",
    "{{7*7}}", "=ABCD()", "'ABCD'--", "\N{GRINNING FACE}" * 4,
    "ALI\N{LATIN CAPITAL LETTER C WITH CEDILLA}E", "stra\N{LATIN SMALL LETTER SHARP S}e",
    "AL\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}CE", "\N{KELVIN SIGN}ATE",
    "\N{CYRILLIC CAPITAL LETTER A}LICE", "АЛИСА", "ＡＬＩＣＥ", "４２４２", "٤٢٤٢", "①②③④",
    "AB\N{NON-BREAKING HYPHEN}CD", "AB\N{NO-BREAK SPACE}CD", "AB\N{ZERO WIDTH SPACE}CD",
    "AB\N{SOFT HYPHEN}CD",
]  # fmt: skip


@pytest.mark.one_database
async def test_rejects_other_characters(alice):
    for chosen in INVALID:
        assert await refusal(alice, chosen) == (422, "code_invalid", ["code_invalid"]), chosen


CONTROL_CHARACTERS = ["ABCD\n", "AB\x00CD", "\x1b[31mABCD", "\u202eABCD", "\u2066ABCD\u2069"]


@pytest.mark.one_database
async def test_rejects_control_characters(alice):
    for chosen in CONTROL_CHARACTERS:
        _, _, reasons = await refusal(alice, chosen)
        assert reasons == ["text_forbidden_character"], chosen


@pytest.mark.one_database
async def test_rejects_lone_surrogates(alice):
    assert await refusal(alice, "ABCD\ud800") == (422, "validation_failed", ["string_unicode"])


@pytest.mark.one_database
@pytest.mark.parametrize("chosen", [1234, True, ["ABCD"], {"code": "ABCD"}])
async def test_rejects_a_value_that_is_not_a_string(alice, chosen):
    assert await refusal(alice, chosen) == (422, "validation_failed", ["string_type"])


@pytest.mark.one_database
async def test_rejects_a_very_long_string(alice):
    assert await refusal(alice, "A" * 60_000) == (422, "validation_failed", ["string_too_long"])


RESERVED = [
    "by-email", "BY-EMAIL", "ByEmail", "-b-y-e-m-a-i-l-", "BY-EMA1L", "bye-mail", "letters", "1etters",
    "activate", "ADM1N", "NULL", "un-de-fi-ned", "oauth", "0AUTH",
]  # fmt: skip


@pytest.mark.one_database
async def test_rejects_reserved_words(alice):
    for chosen in RESERVED:
        assert await refusal(alice, chosen) == (422, "code_reserved", ["code_reserved"]), chosen


@pytest.mark.parametrize(
    "spelled", ["OLI-VIA-10", "olivia10", "0LIVIA10", "O1IVIAIO", "o-l-i-v-i-a-1-0", "OLLVLALO"]
)
async def test_another_users_code_is_taken(alice, mallory, spelled):
    await make_code(alice, code="OLI-VIA-10")

    assert await refusal(mallory, spelled) == (409, "code_taken", [])


async def test_a_code_of_ones_own_is_taken(alice):
    code = await make_code(alice, code="ALICE-2030", active=False)

    answer = await alice.post(PATH, {"lifetime": 3600, "code": "ALICE-2030"})

    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    assert (await alice.get(PATH)).json()["items"] == [code]


async def test_a_generated_code_is_taken(alice, mallory):
    generated = await make_code(alice)

    assert await refusal(mallory, generated["code"].lower()) == (409, "code_taken", [])


async def test_an_expired_code_stays_taken(alice, mallory, clock):
    await make_code(alice, code="ALICE-2030", lifetime=60)
    clock.forward(seconds=61)

    assert await refusal(mallory, "ALICE-2030") == (409, "code_taken", [])


async def test_a_retired_code_stays_taken(alice, mallory):
    await make_code(alice, code="ALICE-2030")
    other = await make_code(alice, active=False)
    await alice.post(f"{PATH}/{other['code']}/activate", {"replace": True})

    assert await refusal(mallory, "ALICE-2030") == (409, "code_taken", [])


async def test_a_deleted_code_stays_taken(alice):
    await make_code(alice, code="ALICE-2030")
    await alice.delete(f"{PATH}/ALICE-2030")

    assert await refusal(alice, "al1ce-2o3o") == (409, "code_taken", [])


async def test_the_code_of_an_erased_user_stays_taken(alice, mallory):
    await make_code(alice, code="ALICE-2030")
    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await refusal(mallory, "alice2030") == (409, "code_taken", [])


async def test_concurrent_requests_for_one_code_create_it_once(api):
    people = [await join(api, f"guest{number}") for number in range(10)]

    answers = await at_once(lambda person: person.post(PATH, {"lifetime": 3600, "code": "WELCOME"}), people)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"code_taken"}


async def test_a_taken_code_does_not_retire_the_active_one(alice, mallory, clock):
    await make_code(alice, code="ALICE-2030")
    old = await make_code(mallory, lifetime=60)
    clock.forward(seconds=61)

    await mallory.post(PATH, {"lifetime": 3600, "code": "ALICE-2030"})

    assert (await mallory.get(f"{PATH}/{old['code']}")).json()["status"] == "expired"
