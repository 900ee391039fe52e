"""The rows and audit events of the example, with invented times."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.actor import Actor, ActorContext, acting_as
from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.codes.models import ReferralCode
from goodword.db.base import Base
from goodword.db.statements import with_defaults
from goodword.events.models import Event
from goodword.jobs.models import Job
from goodword.mail.models import Unsubscribe
from goodword.oauth.models import OAuthGrant
from goodword.programs.models import Program
from goodword.referrals.models import Referral
from goodword.rewards.models import Reward, RewardEntry, RewardRule
from goodword.services import Services
from goodword.sessions import cookies
from goodword.sessions.models import UserSession
from goodword.touches.models import Touch
from goodword.users.models import User

Row = dict[str, Any]
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
"""Reserved for documentation (RFC 5737)."""


class Rows:
    """Rows by model, in the order in which they can be inserted. Events are recorded in the session."""

    def __init__(self, services: Services, session: AsyncSession) -> None:
        self.services, self.session, self.now = services, session, services.clock()
        self.random = random.Random(7)  # noqa: S311  the same example each time
        first = (Program, User, ReferralCode, Touch, Referral, RewardRule, Event, Reward, RewardEntry)
        models = (*first, UserSession, OAuthGrant, Job, Unsubscribe)
        self.by_model: dict[type[Base], list[Row]] = {model: [] for model in models}

    @property
    def people(self) -> list[Row]:
        """Return the users with an account other than the administrator: Alice, Bob, and the later ones."""
        return [user for user in self.by_model[User][1:] if user["email"]]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def after(self, moment: datetime, most: timedelta) -> datetime:
        """Return a time from a minute to `most` later, but not later than now."""
        return min(moment + MINUTE + (most - MINUTE) * self.random.random(), self.now)

    def since(self, moment: datetime) -> datetime:
        """Return a time between `moment` and now."""
        return self.after(moment, self.now - moment)

    def add(self, model: type[Base], at: datetime, **values: object) -> Row:
        row = with_defaults(model, {"id": audit.id_at(at), "created_at": at, **values})
        self.by_model[model].append(row)
        return row

    def record(
        self,
        at: datetime,
        by: Row | None,
        action: Action,
        subject: Subject,
        about: uuid.UUID | None = None,
        person: uuid.UUID | None = None,
        /,
        **details: str | int,
    ) -> None:
        """Record an event by a user, or by the operator."""
        actor = ActorContext(Actor.OPERATOR, clock=lambda: at)
        if by is not None:
            address = f"{self.random.choice(NETWORKS)}.{self.random.randrange(1, 255)}"
            request = str(audit.id_at(at))
            actor = ActorContext(Actor.USER, by["id"], cookies.CLIENT, request, address, clock=lambda: at)
        with acting_as(actor):
            audit.record(self.session, action, subject, about, person=person, **details)
