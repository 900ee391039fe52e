"""Random histories of an account and a participant: whatever happened before, the merge loses nothing."""

import random
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from goodword.codes.models import ReferralCode
from goodword.db.statements import insert
from goodword.participants.merging import merge_reported
from goodword.programs.models import DEFAULT_PROGRAM_ID
from goodword.referrals.models import Referral
from goodword.users.models import User

WORLDS = 60
PEOPLE = 6


class World:
    """People with codes and referrals without circles; `former` was reported with the address of `account`."""

    def __init__(self, seed, now, program_ids):
        self.draw, self.now, self.programs = random.Random(seed), now, program_ids
        self.people: list[User] = []

    async def build(self, session):
        for n in range(PEOPLE):
            self.people.append(await insert(session, User, created_at=self.now, **self.identity(n)))
        self.account, self.former = self.people[:2]
        for person in self.people:
            for program in self.programs:
                await self.add_codes(session, person, program)
        for program in self.programs:
            await self.add_referrals(session, program)

    def identity(self, n):
        if n == 0:
            address = "pat@example.com"
            return {"email": address, "email_key": address, "email_canonical": address}
        if n == 1:
            return {"external_id": "pat", "reported_email_key": "pat@example.com"}
        return {"external_id": f"person-{n}"}

    async def add_codes(self, session, person, program):
        for number in range(self.draw.randint(0, 3)):
            text, is_active = uuid4().hex[:12].upper(), number == 0 and self.draw.random() < 0.8
            created = self.now - timedelta(days=self.draw.randint(1, 9))
            ends = self.now + timedelta(days=self.draw.choice([-0.5, 5]))
            retired = {"retired_at": self.now, "retired_reason": "replaced"} if not is_active else {}
            await insert(
                session,
                ReferralCode,
                owner_id=person.id,
                program_id=program,
                code=text,
                key=text,
                key_mac=uuid4().bytes * 2,
                kind="generated",
                created_at=created,
                activated_at=created,
                expires_at=ends,
                **retired,
            )

    async def add_referrals(self, session, program):
        """Each is referred by someone before in a random order, so that there are no circles."""
        order = self.draw.sample(self.people, PEOPLE)
        for place, referee in enumerate(order):
            if place == 0 or self.draw.random() < 0.3:
                continue
            referrer = self.draw.choice(order[:place])
            codes = select(ReferralCode.id).where(ReferralCode.owner_id == referrer.id).limit(1)
            code_id = await session.scalar(codes)
            if code_id is None:
                continue
            status = self.draw.choice(["confirmed", "confirmed", "pending", "rejected"])
            await insert(
                session,
                Referral,
                referrer_id=referrer.id,
                referee_id=referee.id,
                code_id=code_id,
                program_id=program,
                status=status,
                created_at=self.now - timedelta(hours=self.draw.randint(0, 3)),
                confirmed_at=self.now if status == "confirmed" else None,
            )


async def load(session):
    session.expire_all()
    codes = {code.id: code for code in await session.scalars(select(ReferralCode))}
    return codes, {referral.id: referral for referral in await session.scalars(select(Referral))}


def counts(referrals, names):
    """How many referrals each person has, the two as one."""
    found = {}
    for referral in referrals.values():
        name = names.get(referral.referrer_id, referral.referrer_id)
        found[name] = found.get(name, 0) + 1
    return found


def circles(referrals):
    above = {(one.program_id, one.referee_id): one.referrer_id for one in referrals.values()}
    found = []
    for program, person in above:
        seen, walker = set(), person
        while (program, walker) in above and walker not in seen:
            seen.add(walker)
            walker = above[program, walker]
        if walker in seen:
            found.append(person)
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_no_code_and_no_referral_is_lost(app, globex, seed):
    services = app.state.services
    rejected = set()
    for world_seed in range(seed * WORLDS // 3, (seed + 1) * WORLDS // 3):
        async with services.database.transaction() as session:
            program_ids = [DEFAULT_PROGRAM_ID, globex.program.id]
            world = World(world_seed, services.clock(), program_ids)
            await world.build(session)
            account, former = world.account.id, world.former.id
            names = {former: account}
            codes, referrals = await load(session)
            owners = {code.id: names.get(code.owner_id, code.owner_id) for code in codes.values()}
            before = counts(referrals, names)
            statuses = {one.id: one.status for one in referrals.values()}

            user = await session.get_one(User, account)
            await merge_reported(session, services, user, now=services.clock())
            await session.flush()

            codes, referrals = await load(session)
            assert {code.id: code.owner_id for code in codes.values()} == owners, world_seed
            active = [(one.owner_id, one.program_id) for one in codes.values() if one.retired_at is None]
            assert len(active) == len(set(active)), world_seed
            assert statuses.keys() == referrals.keys(), world_seed
            assert counts(referrals, {}) == before, world_seed
            assert circles(referrals) == [], world_seed
            for one in referrals.values():
                if one.status != statuses[one.id]:
                    assert (one.status, one.referee_id) == ("rejected", former), world_seed
                    rejected.add(one.reason)
                elif one.referee_id == former:
                    assert one.status == "rejected", world_seed
            assert (await session.get_one(User, account)).external_id == "pat"
            assert (await session.get_one(User, former)).status == "erased"
            assert len((await session.scalars(select(User.id))).all()) == PEOPLE, world_seed
            await session.rollback()
    assert rejected >= {"already_referred", "self_referral"}
