"""People, codes and touches at the times of a history, and the claim."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from attribution.histories import DAY, History
from goodword.attribution import service as attribution
from goodword.attribution.service import Attributed, Claim, Refused
from goodword.codes.models import ReferralCode
from goodword.db.statements import insert
from goodword.programs import service as programs
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program
from goodword.referrals import service as referrals
from goodword.referrals.models import ReferralStatus
from goodword.touches.models import Touch
from goodword.users import addresses
from goodword.users.models import User

OWNERS = ("alice", "bob", "carol", "dave")
OTHER = {"dave"}
"""Whose codes are in another program."""


class World:
    """What a history describes, in the database. The clock of the service stands still."""

    def __init__(self, services: Any, history: History) -> None:
        self.now: datetime = services.clock()
        settings = services.settings.model_copy(update={"self_referrals": history.self_referrals})
        self.services = replace(services, settings=settings, clock=lambda: self.now)
        self.history = history
        self.owners: dict[str, User] = {}
        self.codes: dict[str, ReferralCode] = {}
        self.programs = dict.fromkeys(OWNERS, DEFAULT_PROGRAM_ID)
        self.touches: list[UUID] = []
        self.person: User | None = None

    def at(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    async def build(self) -> None:
        async with self.services.database.transaction() as session:
            await self._programs(session)
            for name in OWNERS:
                await self.add_owner(session, name)
            for name, seconds in self.history.touches:
                touch = await insert(
                    session,
                    Touch,
                    created_at=self.at(seconds),
                    program_id=self.programs[name],
                    code_id=self.codes[name].id,
                    kind="click",
                    host="blog.example",
                )
                self.touches.append(touch.id)
            if self.history.existing is not None:
                await self._existing(session, self.history.existing)

    async def _programs(self, session: Any) -> None:
        changes = dict(self.history.program)
        changes |= {name: self.at(changes[name]) for name in ("starts_at", "ends_at") if name in changes}
        if changes:
            await session.execute(update(Program).values(**changes))
        default = await session.get_one(Program, DEFAULT_PROGRAM_ID)
        columns = {column.key: getattr(default, column.key) for column in Program.__table__.columns}
        other = columns | {"id": uuid4(), "slug": "other", "is_default": False}
        await insert(session, Program, **other)
        self.programs |= dict.fromkeys(OTHER, other["id"])
        programs.invalidate(session)

    async def add_owner(self, session: Any, name: str) -> None:
        """Add a person with a code."""
        fields = dict(self.history.owners.get(name, {}))
        if fields.pop("verified", False):
            fields["verified_at"] = self.now
        self.owners[name] = await insert(
            session, User, created_at=self.at(400 * DAY), first_name=name.title(), external_id=name, **fields
        )
        fields = dict(self.history.codes.get(name, {}))
        began, ends = self.at(300 * DAY), self.at(fields.pop("ends", -30 * DAY))
        row: dict[str, Any] = {"activated_at": began, "created_at": began, "expires_at": ends}
        if "retired" in fields:
            row |= {"retired_at": self.at(fields.pop("retired")), "retired_reason": fields.pop("why")}
        if "deleted" in fields:
            row["deleted_at"] = self.at(fields.pop("deleted"))
        text = (name * 2)[:8].upper().translate(str.maketrans("OIL", "011"))
        row |= {"code": text, "key": text, "key_mac": text.encode().ljust(32), "kind": "chosen"}
        row |= {"owner_id": self.owners[name].id, "program_id": self.programs[name]}
        self.codes[name] = await insert(session, ReferralCode, **row | fields)

    async def _existing(self, session: Any, about: Mapping[str, Any]) -> None:
        if "is" in about:
            self.person = self.owners[about["is"]]
            return
        self.person = await insert(
            session,
            User,
            external_id="person",
            created_at=self.at(about["signed_up"]),
            **{name: about[name] for name in about if name.startswith("reported_email")},
        )
        if name := about.get("referred_by"):
            code = self.codes[name]
            attributed = Attributed(code.id, code.owner_id, name, program_id=code.program_id)
            await self.record(session, attributed, self.person)

    async def claim(self, name: str = "person") -> Attributed | Refused | None:
        """Attribute the person, and record the referral."""
        history = self.history
        given = self.codes[history.code].code if history.code in self.codes else history.code
        claim = Claim(given, self.touches)
        await attribution.prepare(self.services, claim)
        async with self.services.database.transaction() as session:
            person, is_new = self.person, self.person is None
            if person is None and history.reported is not None:
                person = await insert(
                    session,
                    User,
                    external_id="person",
                    created_at=self.now,
                    signed_up_at=self.at(history.reported),
                )
            elif person is not None:
                person = await session.get_one(User, person.id)
            found = await attribution.attribute(
                session,
                self.services,
                claim,
                referee=person,
                email_key=history.email,
                mailbox=addresses.parse(history.email).canonical if history.email else None,
                is_new=is_new,
                within=self.programs[history.only_in] if history.only_in else None,
            )
            if isinstance(found, Attributed):
                person = person or await insert(session, User, external_id=name, created_at=self.now)
                await self.record(session, found, person)
        return found

    async def record(self, session: AsyncSession, attributed: Attributed, person: User) -> None:
        await referrals.record(
            session, self.services, attributed, person, status=ReferralStatus.CONFIRMED, now=self.now
        )


async def build(app: Any, history: History) -> World:
    made = World(app.state.services, history)
    await made.build()
    return made
