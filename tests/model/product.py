"""Who referred whom, said once and simply: people of a product, their codes and clicks, and one program."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW, GRACE, LIFETIME = timedelta(days=30), timedelta(days=1), timedelta(days=365)
"""Of the default program."""
MOST = 20
"""Clicks that a report may carry."""


@dataclass
class Participant:
    id: str
    external_id: str
    code: str
    """Of the default program: each has one from the first report on."""
    expires_at: datetime
    joined_at: datetime
    referrer: "Participant | None" = None
    attributed_by: str | None = None
    erased: bool = False


@dataclass
class Click:
    id: str
    owner: Participant
    at: datetime


@dataclass
class Product:
    """What a product and its people have done."""

    running: bool = True
    first_touch: bool = False
    people: dict[str, Participant] = field(default_factory=dict)
    """Those who are there, by external id."""
    clicks: dict[str, list[Click]] = field(default_factory=dict)
    """By the external id of the person who clicked."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often reports ended in each way."""

    def owner_of(self, code: str) -> Participant | None:
        return next((one for one in self.people.values() if one.code == code), None)

    def clicked(self, external_id: str) -> list[Click]:
        return self.clicks.setdefault(external_id, [])

    def outcome(
        self,
        external_id: str,
        now: datetime,
        *,
        code: str | None,
        by_touch: bool,
        signed_up_at: datetime | None = None,
    ) -> tuple[Participant | None, str | None, str | None]:
        """Return the referrer whom a report gives to a person, by what, or why it gives none.

        `signed_up_at` is what the report says of a new person.
        """
        person = self.people.get(external_id)
        joined_at = now if person is not None or signed_up_at is None else signed_up_at
        clicks = self.clicked(external_id)[-MOST:] if by_touch else []
        near = [click for click in clicks if joined_at - click.at <= WINDOW]
        if code is not None:
            owner = self.owner_of(code)
            touched = owner is not None and any(click.owner is owner for click in near)
            return self._claim(person, owner, now, since=joined_at - GRACE if touched else now, code=code)
        if not near:
            return None, None, None
        touch = self._touch(near, joined_at)
        owner = None if touch.owner.erased else touch.owner
        return self._claim(person, owner, now, since=joined_at - GRACE)

    def _touch(self, near: list[Click], joined_at: datetime) -> Click:
        """Return the click that counts: the first or last one that can, else the first or last."""
        can = [
            click
            for click in near
            if not click.owner.erased and self.running and joined_at - GRACE <= click.owner.expires_at
        ]
        found = can or near
        return found[0] if self.first_touch else found[-1]

    def _claim(
        self,
        person: Participant | None,
        owner: Participant | None,
        now: datetime,
        *,
        since: datetime,
        code: str | None = None,
    ) -> tuple[Participant | None, str | None, str | None]:
        """Return what a code of `owner` gives, which has to be good at `since`: now, or before with a touch."""
        if owner is None:
            return None, None, "code_unknown"
        if person is not None and person.referrer is owner:
            return None, None, None  # again: no refusal
        ended = owner.expires_at <= now if since == now else owner.expires_at < since
        for reason, holds in (
            ("code_expired", ended),
            ("program_not_active", not self.running),
            ("self_referral", person is owner),
            ("already_referred", person is not None and person.referrer is not None),
            ("referral_cycle", person is not None and self._is_above(person, owner)),
            ("already_registered", person is not None and now - person.joined_at > GRACE),
        ):
            if holds:
                return None, None, reason
        return owner, "code" if code is not None and now < owner.expires_at else "touch", None

    @staticmethod
    def _is_above(person: Participant, owner: Participant) -> bool:
        above = owner.referrer
        while above is not None:
            if above is person:
                return True
            above = above.referrer
        return False
