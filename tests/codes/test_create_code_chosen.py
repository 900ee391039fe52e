"""POST /api/v1/me/referral-codes: a string of one's own, and what it may be."""

import json
from collections import Counter

import pytest

from concurrency import at_once
from people import PASSWORD, join, make_code

PATH = "/api/v1/me/referral-codes"


async def refusal(person, wanted):
    """Why they cannot have this string."""
    # Put together here: the client's own JSON cannot hold half a surrogate pair.
    body = json.dumps({"lifetime": 3600, "code": wanted})
    answer = await person.call("POST", PATH, content=body, headers={"Content-Type": "application/json"})
    assert (await person.get(PATH)).json()["items"] == []
    return answer.status_code, answer.json()["code"], [e["code"] for e in answer.json().get("errors", ())]


@pytest.mark.parametrize("wanted", ["abcd", "2030", "ALICE-2030", "-a-b-c-d-", "Zq" * 16])
async def test_it_is_shown_as_it_was_typed(alice, wanted):
    code = await make_code(alice, code=wanted)

    assert code["code"] == wanted
    assert code["link"] == f"http://127.0.0.1:8000/r/{wanted}"


TOO_SHORT_OR_LONG = ["", "a", "abc", "a" * 33, "----", "-" * 32, "a-b-c", "    ", "---abc---"]


async def test_it_has_four_to_thirty_two_characters(alice):
    for wanted in TOO_SHORT_OR_LONG:
        assert await refusal(alice, wanted) == (422, "code_invalid", ["code_invalid"]), wanted


NOT_LATIN = [
    "AB CD", " ABCD", "ABCD ", "AB_CD", "AB.CD", "AB/CD", "../../ABCD", "AB%20CD", "<b>ABCD</b>",
    "{{7*7}}", "=ABCD()", "'ABCD'--", "\N{GRINNING FACE}" * 4,
    "ALI\N{LATIN CAPITAL LETTER C WITH CEDILLA}E", "stra\N{LATIN SMALL LETTER SHARP S}e",
    "AL\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}CE", "\N{KELVIN SIGN}ATE",
    "\N{CYRILLIC CAPITAL LETTER A}LICE", "АЛИСА", "ＡＬＩＣＥ", "４２４２", "٤٢٤٢", "①②③④",
    "AB\N{NON-BREAKING HYPHEN}CD", "AB\N{NO-BREAK SPACE}CD", "AB\N{ZERO WIDTH SPACE}CD",
    "AB\N{SOFT HYPHEN}CD",
]  # fmt: skip


async def test_it_is_of_latin_letters_digits_and_hyphens(alice):
    for wanted in NOT_LATIN:
        assert await refusal(alice, wanted) == (422, "code_invalid", ["code_invalid"]), wanted


UNSEEN = ["ABCD\n", "AB\x00CD", "\x1b[31mABCD", "\u202eABCD", "\u2066ABCD\u2069"]


async def test_it_has_nothing_unseen_in_it(alice):
    for wanted in UNSEEN:
        _, _, reasons = await refusal(alice, wanted)
        assert reasons == ["text_forbidden_character"], wanted


async def test_it_is_of_whole_characters(alice):
    assert await refusal(alice, "ABCD\ud800") == (422, "validation_failed", ["string_unicode"])


@pytest.mark.parametrize("wanted", [1234, True, ["ABCD"], {"code": "ABCD"}])
async def test_it_is_a_text(alice, wanted):
    assert await refusal(alice, wanted) == (422, "validation_failed", ["string_type"])


async def test_a_very_long_one_is_not_even_read(alice):
    assert await refusal(alice, "A" * 60_000) == (422, "validation_failed", ["string_too_long"])


RESERVED = [
    "by-email", "BY-EMAIL", "ByEmail", "-b-y-e-m-a-i-l-", "BY-EMA1L", "bye-mail", "letters", "1etters",
    "activate", "ADM1N", "NULL", "un-de-fi-ned", "oauth", "0AUTH",
]  # fmt: skip


async def test_it_is_no_word_of_our_addresses(alice):
    for wanted in RESERVED:
        assert await refusal(alice, wanted) == (422, "code_reserved", ["code_reserved"]), wanted


@pytest.mark.parametrize(
    "spelled", ["OLI-VIA-10", "olivia10", "0LIVIA10", "O1IVIAIO", "o-l-i-v-i-a-1-0", "OLLVLALO"]
)
async def test_nobody_else_can_have_it(alice, mallory, spelled):
    await make_code(alice, code="OLI-VIA-10")

    assert await refusal(mallory, spelled) == (409, "code_taken", [])


async def test_its_owner_cannot_have_it_twice(alice):
    code = await make_code(alice, code="ALICE-2030", active=False)

    answer = await alice.post(PATH, {"lifetime": 3600, "code": "ALICE-2030"})

    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    assert (await alice.get(PATH)).json()["items"] == [code]


async def test_a_drawn_one_is_taken_too(alice, mallory):
    drawn = await make_code(alice)

    assert await refusal(mallory, drawn["code"].lower()) == (409, "code_taken", [])


async def test_it_stays_taken_when_it_expires(alice, mallory, clock):
    await make_code(alice, code="ALICE-2030", lifetime=60)
    clock.forward(seconds=61)

    assert await refusal(mallory, "ALICE-2030") == (409, "code_taken", [])


async def test_it_stays_taken_when_it_is_retired(alice, mallory):
    await make_code(alice, code="ALICE-2030")
    other = await make_code(alice, active=False)
    await alice.post(f"{PATH}/{other['code']}/activate", {"replace": True})

    assert await refusal(mallory, "ALICE-2030") == (409, "code_taken", [])


async def test_it_stays_taken_when_it_is_deleted(alice):
    await make_code(alice, code="ALICE-2030")
    await alice.delete(f"{PATH}/ALICE-2030")

    assert await refusal(alice, "al1ce-2o3o") == (409, "code_taken", [])


async def test_it_stays_taken_when_its_owner_is_erased(alice, mallory):
    await make_code(alice, code="ALICE-2030")
    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await refusal(mallory, "alice2030") == (409, "code_taken", [])


async def test_one_of_many_who_want_it_at_once_gets_it(api):
    people = [await join(api, f"guest{number}") for number in range(10)]

    answers = await at_once(lambda person: person.post(PATH, {"lifetime": 3600, "code": "WELCOME"}), people)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"code_taken"}


async def test_who_does_not_get_it_keeps_what_they_had(alice, mallory, clock):
    await make_code(alice, code="ALICE-2030")
    old = await make_code(mallory, lifetime=60)
    clock.forward(seconds=61)

    await mallory.post(PATH, {"lifetime": 3600, "code": "ALICE-2030"})

    assert (await mallory.get(f"{PATH}/{old['code']}")).json()["status"] == "expired"
