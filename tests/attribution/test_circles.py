"""Referrals form no circle, also if its people enter codes at the same moment."""

import asyncio
from collections import Counter

import pytest

from attribution.histories import History
from goodword.attribution import service as attribution
from goodword.attribution.service import Attributed, Claim, Reason, Refused
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.referrals import service as referrals
from goodword.referrals.models import ReferralStatus
from goodword.users.models import User


@pytest.fixture
async def people(world):
    """Four people with a code each: the one of Dave in another program."""
    return await world(History(expected=None, program={"late_entry_grace": 10**9}))


async def enter(people, who, code):
    """`who` enters the code of another one."""
    services = people.services
    async with services.database.transaction() as session:
        person = await session.get_one(User, people.owners[who].id)
        found = await attribution.attribute(
            session,
            services,
            Claim(people.codes[code].key),
            referee=person,
            email_key=None,
            is_new=False,
            within=None,
        )
        if isinstance(found, Attributed):
            status, now = ReferralStatus.CONFIRMED, services.clock()
            await referrals.record(session, services, found, person, status=status, now=now)
    if found is None:
        return None
    return found.reason if isinstance(found, Refused) else found.referrer_external_id


async def join_people(people, number, turn):
    """Add people with a code each in the default program."""
    names = [f"{letter}{turn}person" for letter in "abcdefgh"[:number]]
    people.programs |= dict.fromkeys(names, DEFAULT_PROGRAM_ID)
    async with people.services.database.transaction() as session:
        for name in names:
            await people.add_owner(session, name)
    return names


async def test_e41_the_referrer_of_the_referrer_cannot_be_referred(people):
    assert await enter(people, "bob", "alice") == "alice"
    assert await enter(people, "carol", "bob") == "bob"

    assert await enter(people, "alice", "carol") == Reason.REFERRAL_CYCLE
    assert await enter(people, "alice", "bob") == Reason.REFERRAL_CYCLE


async def test_a_circle_through_two_programs_is_none(people):
    assert await enter(people, "alice", "dave") == "dave"
    assert await enter(people, "dave", "alice") == "alice"


@pytest.mark.parametrize("number", [2, 4])
async def test_e41_a_circle_is_not_closed_from_all_sides_at_once(people, rows, number):
    for turn in range(5):
        names = await join_people(people, number, turn)
        following = names[1:] + names[:1]

        answers = await asyncio.gather(*(enter(people, *pair) for pair in zip(names, following, strict=True)))

        assert Counter(answer == Reason.REFERRAL_CYCLE for answer in answers) == {False: number - 1, True: 1}
    assert await rows("SELECT count(*) FROM referrals") == [(5 * (number - 1),)]
    assert await rows("SELECT sum(uses) FROM referral_codes") == [(5 * (number - 1),)]


async def test_e41_a_circle_of_four_is_not_closed_from_two_opposite_sides_at_once(people):
    """The two lock no row of each other."""
    for turn in range(5):
        a, b, c, d = await join_people(people, 4, turn)
        assert (await enter(people, b, c), await enter(people, d, a)) == (c, a)

        answers = await asyncio.gather(enter(people, a, b), enter(people, c, d))

        assert Counter(answer == Reason.REFERRAL_CYCLE for answer in answers) == {False: 1, True: 1}


async def test_each_of_eight_people_enters_two_codes_at_once(people, rows):
    names = await join_people(people, 8, 0)
    pairs = [(who, names[(n + step) % 8]) for n, who in enumerate(names) for step in (1, 3)]

    answers = await asyncio.gather(*(enter(people, *pair) for pair in pairs))

    refused = Counter(answer for answer in answers if isinstance(answer, Reason))
    assert set(refused) == {Reason.ALREADY_REFERRED, Reason.REFERRAL_CYCLE}
    referrers = dict(await rows("SELECT referee_id, referrer_id FROM referrals"))
    for person in referrers:
        seen = {person}
        while (person := referrers.get(person)) is not None:
            assert person not in seen
            seen.add(person)


async def test_two_codes_at_once_give_one_referrer(people, rows):
    answers = await asyncio.gather(*(enter(people, "carol", name) for name in ("alice", "bob") * 5))

    given = Counter(answers)
    winner = "alice" if given["alice"] else "bob"
    # Who enters the code of the referrer again is told nothing new.
    assert given == {winner: 1, None: 4, Reason.ALREADY_REFERRED: 5}
    assert await rows("SELECT count(*) FROM referrals") == [(1,)]
    assert await rows("SELECT sum(uses) FROM referral_codes") == [(1,)]
