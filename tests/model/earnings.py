"""What people earned, said once and simply: all of it is computed anew from the list of what happened."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from model.earned import CURRENCY, Event, Person, Referral, Reward, month_of

LEEWAY, OLDEST = timedelta(seconds=60), timedelta(days=400)
OWN = {"sign_up", "referral_confirmed"}
REWARD_STATE = 409, "reward_state"
STATES = ("pending", "approved", "fulfilled")
FOREVER = datetime.max.replace(tzinfo=UTC)
Key = tuple[str, int, str]
"""A reward: its rule, version and event. (A rule has one beneficiary.)"""
Fact = tuple[datetime, str, tuple[Any, ...]]
"""When something happened, the method of `Ledger` that says what it means, and its arguments."""


class Ledger:
    def __init__(self, facts: Iterable[Fact]) -> None:
        self.running = True
        self.people: dict[str, Person] = {}
        self.referrals: dict[str, Referral] = {}
        self.rules: dict[str, tuple[int, dict[str, Any] | None]] = {}
        self.events: dict[str, Event] = {}
        self.told: dict[str, Any] = {}
        self.rewards: dict[Key, Reward] = {}
        self.pools: dict[str, list[str]] = {}
        self.answer: Any = None
        """What the service says to the last of the facts."""
        for self.now, what, about in facts:
            self.answer = getattr(self, what)(*about)

    def person(self, external_id: str) -> Person | None:
        found = (one for one in self.people.values() if one.external_id == external_id and not one.erased)
        return next(found, None)

    def referral_of(self, referee: str) -> Referral | None:
        return next((one for one in self.referrals.values() if one.referee.id == referee), None)

    def program_is(self, running: bool) -> None:
        self.running = running

    def reported(self, id: str, external_id: str, signed_up_at: datetime) -> None:  # noqa: A002
        self.people.setdefault(id, Person(id, external_id, signed_up_at)).signed_up_at = signed_up_at

    def referred(self, id: str, referrer: str, referee: str, held: bool) -> None:  # noqa: A002
        one, other = self.people[referrer], self.people[referee]
        before = any(
            old.referee.erased and old.referee.external_id == other.external_id
            for old in self.referrals.values()
        )
        made = self.referrals[id] = Referral(
            id, one, other, "held" if held else "confirmed", self.now, before
        )
        self.happens(Event(f"goodword:sign_up:{id}", "sign_up", referee, other.signed_up_at))
        if not held:
            self.confirmed(made)

    def confirmed(self, referral: Referral) -> None:
        name = "referral_confirmed"
        self.happens(Event(f"goodword:{name}:{referral.id}", name, referral.referee.id, referral.made_at))

    def accepted(self, id: str) -> int:  # noqa: A002
        referral = self.referrals[id]
        if referral.status == "held":
            referral.status = "confirmed"
            for reward in self.rewards.values():
                if reward.referral is referral and reward.status == "pending":
                    reward.available_at = reward.made_at + timedelta(seconds=reward.terms["hold"])
            self.holds_end(referral)
            self.confirmed(referral)
        return 409 if referral.status == "rejected" else 200

    def rejected(self, id: str) -> int:  # noqa: A002
        if self.referrals[id].status == "rejected":
            return 409
        self.referrals[id].status = "rejected"
        self.take(one for one in self.rewards.values() if one.referral.id == id)
        return 200

    def erased(self, external_id: str) -> int:
        person = self.person(external_id)
        if person is None:
            return 404
        person.erased = True
        self.take(one for one in self.rewards.values() if one.who is person and one.status != "fulfilled")
        return 204

    def take(self, rewards: Iterable[Reward]) -> None:
        for reward in rewards:
            if reward.left:
                reward.loses(reward.left)

    def ruled(self, id: str, terms: dict[str, Any] | None) -> int:  # noqa: A002
        version, former = self.rules.get(id, (0, None))
        self.rules[id] = (version + (terms is not None and terms != former), terms)
        return self.rules[id][0]

    def pooled(self, rule: str, codes: list[str]) -> None:
        self.pools.setdefault(rule, []).extend(codes)

    def free(self, rule: str) -> list[str]:
        given = {reward.coupon for reward in self.rewards.values()}
        return [code for code in self.pools.get(rule, ()) if code not in given]

    def holds_end(self, of: Referral | None = None) -> None:
        for reward in self.rewards.values():
            is_due = reward.available_at is not None and reward.available_at <= self.now
            is_auto = reward.status == "pending" and reward.terms["approval"] == "auto"
            if (
                is_due
                and is_auto
                and (of is None or of is reward.referral)
                and reward.referral.status == "confirmed"
            ):
                reward.becomes("approved")

    # Events

    def event(self, id: str, type: str, who: str, at: datetime, *amount: Any) -> Any:  # noqa: A002
        refunded = self.events.get(amount[-1] or "") if amount else None
        owner = self.people.get(refunded.who) if refunded else None
        person = owner if owner and owner.erased else self.person(who)
        if at > self.now + LEEWAY or at < self.now - OLDEST:
            return 422, "time_in_future" if at > self.now else "time_too_old"
        if person is None:
            return 404, "participant_not_found"
        event = Event(id, type, person.id, at, *amount)
        if self.events.setdefault(id, event) != event:
            return 409, "event_id_reused"
        status = 200 if id in self.told else 201
        if status == 201:
            self.told[id] = self.happens(event), self.warnings(event)
            self.apply_refunds(event, Fraction(1))
            if refunded:
                self.apply_refunds(refunded, self.kept(refunded, but=event))
        made = {key: reward.shown() for key, reward in self.rewards.items() if reward.event.id == id}
        return status, *self.told[id], made

    def happens(self, event: Event) -> dict[str, str]:
        """Grant what an event earns, and return why rules make no reward."""
        self.events[event.id] = event
        refused = {}
        for rule, (version, terms) in self.rules.items():
            if terms is None or terms["trigger"] != event.type or event.refunds is not None:
                continue
            referral = self.referral_of(event.who)
            found = self.worth(rule, terms, event, referral)
            if isinstance(found, str) or referral is None:
                refused[rule] = found
                continue
            who = referral.referrer if terms["beneficiary"] == "referrer" else referral.referee
            is_confirmed = referral.status == "confirmed"
            available_at = self.now + timedelta(seconds=terms["hold"]) if is_confirmed else None
            reward = Reward(terms, event, referral, who, self.now, available_at)
            now = is_confirmed and terms["approval"] == "auto" and terms["hold"] == 0
            reward.becomes("approved" if now else "pending", found)
            if terms["kind"] == "coupon":
                reward.coupon = self.free(rule)[0]
            self.rewards[rule, version, event.id] = reward
        return refused

    def worth(self, rule: str, terms: dict[str, Any], event: Event, referral: Referral | None) -> Any:
        """Return what an event earns by a rule, or the first reason why it earns nothing."""
        if not self.running or referral is None:
            return "not_referred" if self.running else "program_not_active"
        who = referral.referrer if terms["beneficiary"] == "referrer" else referral.referee
        after = event.at - referral.referee.signed_up_at
        peers = [one for one in self.referrals.values() if one.referrer is referral.referrer]
        friends = sum(one.status == "confirmed" for one in peers)
        tier = [tier for tier in terms.get("tiers", [{"from": 0, **terms}]) if tier["from"] <= friends][-1:]
        amount = sum(one.get("amount_minor", 0) for one in tier)
        points = sum(one.get("basis_points", 0) for one in tier)
        amount += round(Fraction((event.minor or 0) * points, 10_000))  # half to even
        needs = "basis_points" in str(terms) or "min_amount_minor" in terms
        same = [
            one
            for one in self.events.values()
            if (one.type, one.who, one.refunds) == (event.type, event.who, None)
        ]
        cap = terms.get("cap", {"count": 10**6, "per": "ever"})
        counted = [
            reward
            for (other, _, _), reward in self.rewards.items()
            if other == rule
            and reward.referral in peers
            and reward.left
            and (cap["per"] == "ever" or reward.month == month_of(event.at))
        ]
        reasons = {
            "referral_rejected": referral.status == "rejected",
            "beneficiary_not_active": who.erased,
            "registered_before": referral.was_here_before and event.type in OWN,
            "outside_period": not terms.get("starts_at", event.at) <= event.at < terms.get("ends_at", FOREVER),
            "before_sign_up": after < timedelta(0),
            "too_late": after > timedelta(seconds=terms.get("within", 10**9)),
            "amount_missing": needs and event.minor is None,
            "currency_mismatch": event.currency not in {None, CURRENCY},
            "below_minimum": (event.minor or 0) < terms.get("min_amount_minor", 0),
            "max_events_reached": len(same) > terms.get("max_events", 10**6),
            "refunded": self.kept(event) == 0,
            "no_tier": not tier,
            "amount_zero": amount == 0,
            "cap_reached": len(counted) >= cap["count"],
            "coupons_used_up": terms["kind"] == "coupon" and not self.free(rule),
        }  # fmt: skip
        return next((reason for reason, holds in reasons.items() if holds), amount)

    def refunds_of(self, event: Event) -> list[Event]:
        return [
            one
            for one in self.events.values()
            if (one.refunds, one.who) == (event.id, event.who)
            and (None in {one.currency, event.currency} or one.currency == event.currency)
        ]

    def kept(self, event: Event, but: Event | None = None) -> Fraction:
        """Return the part of an event that was not refunded."""
        refunds = [one for one in self.refunds_of(event) if one is not but]
        if refunds and (not event.minor or any(one.minor is None for one in refunds)):
            return Fraction(0)
        return max(Fraction(0), 1 - Fraction(sum(one.minor or 0 for one in refunds), event.minor or 1))

    def apply_refunds(self, event: Event, before: Fraction) -> None:
        """Take back what refunds have taken of an event since `before` of it was kept."""
        for reward in self.rewards.values():
            if reward.event is event:
                parts = before, self.kept(event)
                if reward.terms["kind"] in {"coupon", "custom"}:  # not divisible
                    parts = Fraction(parts[0] > 0), Fraction(parts[1] > 0)
                lost = round(reward.amount * parts[0]) - round(reward.amount * parts[1])
                if lost and reward.left:
                    reward.loses(min(lost, reward.left))

    def warnings(self, event: Event) -> list[str]:
        of = self.events.get(event.refunds or "")
        if of is None:
            return []
        if of.who != event.who:
            return ["refund_of_other_participant"]
        if event not in self.refunds_of(of):
            return ["refund_currency_mismatch"]
        total = sum(one.minor or 0 for one in self.refunds_of(of))
        return ["refund_exceeds_amount"] if of.minor is not None and total > of.minor else []

    # Steps of rewards

    def approve(self, key: Key) -> Any:
        reward = self.rewards[key]
        if reward.status == "approved":
            return 200, None
        if (reward.status, reward.referral.status) != ("pending", "confirmed"):
            return REWARD_STATE
        reward.becomes("approved")
        return 200, None

    def fulfil(self, key: Key, reference: str) -> Any:
        reward = self.rewards[key]
        if (reward.status, reward.reference) == ("fulfilled", reference):
            return 200, None
        if reward.status != "approved":
            return REWARD_STATE
        reward.reference = reference
        reward.becomes("fulfilled")
        return 200, None

    def cancel(self, key: Key) -> Any:
        reward = self.rewards[key]
        if reward.status in {"pending", "approved"}:
            reward.loses(reward.left)
        return (200, None) if reward.status == "canceled" else REWARD_STATE

    def reverse(self, key: Key, amount: int | None) -> Any:
        reward = self.rewards[key]
        if reward.status in {"pending", "canceled"}:
            return REWARD_STATE
        if reward.status != "reversed":
            if amount is not None and amount > reward.left:
                return 422, "amount_too_large"
            reward.loses(amount or reward.left, "reversed")
        return 200, None

    # What must stand in the tables

    def balances(self, who: str) -> dict[tuple[str, str | None], dict[str, int]]:
        found: dict[tuple[str, str | None], dict[str, int]] = {}
        for reward in self.rewards.values():
            if reward.who.id == who and reward.left:
                sums = found.setdefault((reward.terms["kind"], reward.currency), dict.fromkeys(STATES, 0))
                sums[reward.status] += reward.left
        return found
