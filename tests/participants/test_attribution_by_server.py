"""Who referred a participant: the links of Acme's people, and what Acme's server reports of those who come."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from goodword.programs import service as programs
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}
DAY = 86_400


@pytest.fixture
async def change_program(app):
    async def change(**values):
        async with app.state.services.database.transaction() as session:
            await session.execute(update(Program).where(Program.id == DEFAULT_PROGRAM_ID).values(values))
            programs.invalidate(session)

    await change(link_target="https://acme.example/join?ref={code}")
    return change


@pytest.fixture
async def codes(acme, change_program):
    """The codes of Alice and Carol, by name."""
    return {name: (await acme.report(name))["code"]["code"] for name in ("alice", "carol")}


@pytest.fixture
def click(api, codes):
    """Return a function that opens a link of one of the two, and returns what Acme's page gets."""

    async def follow(name):
        answer = await api.get(f"/r/{codes[name]}", headers=FIREFOX)
        assert answer.status_code == 302
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        return {"referral_code": query["ref"][0], "touch": query["touch"][0]}

    return follow


def referrer_of(person):
    return person["referral"] and person["referral"]["referrer"]["external_id"]


@pytest.mark.parametrize(("attribution", "referrer"), [("first_touch", "alice"), ("last_touch", "carol")])
async def test_e44_the_program_says_which_of_two_clicks_counts(
    acme, change_program, click, attribution, referrer
):
    await change_program(attribution=attribution)
    touches = [(await click(name))["touch"] for name in ("alice", "carol")]

    bob = await acme.report("bob", touch=touches)

    assert referrer_of(bob) == referrer
    assert bob["referral"]["attributed_by"] == "touch"
    assert bob["warnings"] == []


async def test_e44_a_typed_code_beats_a_click(acme, codes, click):
    touch = (await click("alice"))["touch"]

    bob = await acme.report("bob", referral_code=codes["carol"].lower(), touch=touch)

    assert (referrer_of(bob), bob["referral"]["attributed_by"]) == ("carol", "code")


async def test_what_a_link_brings_is_attributed_by_the_code(acme, click):
    brought = await click("alice")

    bob = await acme.report("bob", **brought)

    assert (referrer_of(bob), bob["referral"]["attributed_by"]) == ("alice", "code")
    assert bob["referral"]["touch"] == brought["touch"]


@pytest.mark.parametrize(("days", "referrer", "warnings"), [(2, "dave", []), (4, None, ["code_expired"])])
async def test_e43_a_click_counts_until_the_grace_after_the_end_of_the_code(
    acme, change_program, clock, days, referrer, warnings
):
    """The code ends a day after the click, and the grace is two days."""
    await change_program(late_entry_grace=2 * DAY, code_lifetime=DAY)
    await acme.report("dave")
    code = (await acme.read("dave"))["code"]["code"]
    answer = await acme.api.get(f"/r/{code}", headers=FIREFOX)
    touch = parse_qs(urlsplit(answer.headers["location"]).query)["touch"][0]
    clock.forward(days=days)

    bob = await acme.report("bob", referral_code=code, touch=touch)

    assert referrer_of(bob) == referrer
    assert bob["warnings"] == warnings


async def test_e45_a_click_older_than_the_window_is_ignored(acme, change_program, click, clock):
    await change_program(attribution_window=DAY)
    touch = (await click("alice"))["touch"]
    clock.forward(days=1, seconds=1)

    bob = await acme.report("bob", touch=touch)

    assert (bob["referral"], bob["warnings"]) == (None, [])


async def test_e40_a_code_can_be_entered_until_the_grace_is_over(acme, codes, clock):
    for name in ("bob", "dave"):
        await acme.report(name)
    clock.forward(hours=23)
    assert referrer_of(await acme.report("bob", referral_code=codes["alice"])) == "alice"

    clock.forward(hours=2)
    dave = await acme.report("dave", referral_code=codes["alice"])

    assert (dave["referral"], dave["warnings"]) == (None, ["already_registered"])


async def test_the_first_report_attributes_a_person_who_signed_up_before(acme, codes):
    a_year_ago = datetime.now(UTC) - timedelta(days=365)

    bob = await acme.report("bob", referral_code=codes["alice"], signed_up_at=a_year_ago.isoformat())
    dave = await acme.report("dave", signed_up_at=a_year_ago.isoformat())
    later = await acme.report("dave", referral_code=codes["alice"])

    assert (referrer_of(bob), bob["warnings"]) == ("alice", [])
    assert (dave["referral"], later["referral"], later["warnings"]) == (None, None, ["already_registered"])


async def test_e39_nobody_uses_their_own_code(acme, codes):
    alice = await acme.report("alice", referral_code=codes["alice"])

    assert (alice["referral"], alice["warnings"]) == (None, ["self_referral"])


async def test_the_first_referrer_stays(acme, codes):
    await acme.report("bob", referral_code=codes["alice"])

    again = await acme.report("bob", referral_code=codes["alice"])
    other = await acme.report("bob", referral_code=codes["carol"])

    assert (referrer_of(again), again["warnings"]) == ("alice", [])
    assert (referrer_of(other), other["warnings"]) == ("alice", ["already_referred"])


async def test_a_paused_program_attributes_nobody(acme, codes, change_program):
    await change_program(status="paused")

    bob = await acme.report("bob", referral_code=codes["alice"])

    assert (bob["referral"], bob["warnings"]) == (None, ["program_not_active"])


async def test_e41_four_people_close_no_circle(acme, change_program):
    for turn in range(3):
        names = [f"person-{turn}-{n}" for n in range(4)]
        codes = [(await acme.report(name))["code"]["code"] for name in names]

        answers = await asyncio.gather(
            *(acme.put(name, referral_code=codes[n - 1]) for n, name in enumerate(names))
        )

        assert [answer.status_code for answer in answers] == [200] * 4
        warnings = sorted(answer.json()["warnings"] for answer in answers)
        assert warnings == [[], [], [], ["referral_cycle"]]
