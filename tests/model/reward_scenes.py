"""Short stories that lead to the bounds of the rules of rewards, where random steps seldom come.

Each is a part of a run of the machine: whatever rules, rewards and states are there already count too. The ledger
knows no stories, and judges each step as any other.
"""

from datetime import UTC, timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import rule

from model.earned import ZONE
from model.reward_requests import Wishes, as_json, json_of
from model.world import NODES

HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
MOST_RULES = 5
FELT = timedelta(seconds=1)
"""After which every node knows the rules and the program."""
nodes = st.integers(0, NODES - 1)


class Scenes(Wishes):
    node = 0
    report: Any = None
    time_passes: Any = None
    a_hold_ends: Any = None
    """Rules of the whole machine, which the stories use."""

    # Steps of the stories

    def put_rule(self, found, node, which=0):
        """Make a rule, or replace one if there are many, and return its id."""
        if len(self.rules) < MOST_RULES:
            answer = self.ask(node, "POST", "/programs/default/reward-rules", json=as_json(found))
            assert answer.status_code == 201, answer.text
            rule_id = answer.json()["id"]
            self.rules.append(rule_id)
        else:
            rule_id = self.rules[which % len(self.rules)]
            answer = self.ask(node, "PUT", f"/programs/default/reward-rules/{rule_id}", json=as_json(found))
        assert answer.json()["version"] == self.note("ruled", rule_id, found)
        if found["kind"] == "coupon":
            codes = [f"{self.now:%s}-{len(self.facts)}-{n}" for n in range(2)]
            path = f"/programs/default/reward-rules/{rule_id}/coupons"
            assert self.ask(node, "POST", path, json={"codes": codes}).json()["added"] == 2
            self.note("pooled", rule_id, codes)
        self.passes(FELT)
        return rule_id

    def rewarding(self, **terms):
        found = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit", "hold": 0}
        found |= {"approval": "auto"} | ({} if "basis_points" in terms else {"amount_minor": 500}) | terms
        return self.put_rule(found, self.node, which=len(self.facts))

    def pair(self, *, held=False, ago=None):
        """Report two new people, and return the name of the referee."""
        name = f"n{len(self.ledger.people)}"
        self.report(f"{name}-1", f"{name}-1", held=False, node=self.node, ago=ago)
        self.report(f"{name}-2", f"{name}-1", held=held, node=self.node, ago=ago)
        return f"{name}-2"

    def buys(self, who, *, at=None, minor=10_000, refunds=None, kind="purchase"):
        """Report an event, and return its id."""
        currency = "USD" if minor else None
        about = (f"e{len(self.sent)}", kind, who, at or self.now, minor, currency, refunds)
        self.sent.append(about)
        self.send([("event", about, self.node, "/events", json_of(*about))])
        return about[0]

    def key_of(self, rule_id, event_id):
        return rule_id, self.ledger.rules[rule_id][0], event_id

    def steps(self, key, *steps):
        for do, part in steps:
            what, about, _, path, json = self.step_of(do, key, part)
            self.send([(what, about, self.node, path, json)])

    def reviewed(self, do):
        self.send([(do, (list(self.ledger.referrals)[-1],), self.node, "", None)])

    def erased(self, who):
        self.send([("erased", (who,), self.node, f"/participants/{who}", None)])

    # The stories

    @rule(scene=st.integers(0, 11), odd=st.booleans(), node=nodes)
    def a_bound_is_met(self, scene, odd, node):
        self.play(scene, odd, node)

    def play(self, scene, odd, node):
        self.node = node
        if not self.ledger.running:
            assert self.ask(node, "PATCH", "/programs/default", json={"status": "active"}).status_code == 200
            self.note("program_is", True)
            self.passes(FELT)
        SCENES[scene](self, odd)

    def within_has_a_last_moment(self, odd):
        self.rewarding(within=3600, beneficiary="referee" if odd else "referrer")
        who = self.pair(ago=2)
        joined = self.ledger.person(who).signed_up_at
        for at in (joined, joined + HOUR, joined + HOUR + MOMENT, joined - MOMENT):
            self.buys(who, at=at)

    def a_held_referral_is_reviewed(self, odd):
        self.rewarding(hold=3600 if odd else 0)
        who = self.pair(held=True)
        self.buys(who)
        self.time_passes(HOUR / 2, self.node)
        self.reviewed("accepted")
        self.a_hold_ends(early=True, node=self.node)
        self.a_hold_ends(early=False, node=self.node)
        self.pair(held=True)
        self.reviewed("rejected" if odd else "accepted")

    def a_month_begins(self, odd):
        self.rewarding(cap={"count": 1, "per": "month"}, kind="points" if odd else "credit")
        begin = self.now.astimezone(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        begin, of_utc = begin.astimezone(UTC), self.now.replace(day=1, hour=0, minute=0, second=0)
        who = self.pair(ago=(self.now - begin) / HOUR + 48)
        for at in (of_utc, begin - MOMENT, begin, begin + MOMENT):
            if at <= self.now:
                self.buys(who, at=at)

    def a_capped_rule_is_replaced(self, odd):
        rule_id = self.rewarding(cap={"count": 1, "per": "month" if odd else "ever"})
        who = self.pair()
        first = self.buys(who)
        found = self.ledger.rules[rule_id][1] | {"amount_minor": 600}
        self.put_version(rule_id, found)
        self.buys(who)
        self.buys(who, minor=None, refunds=first, kind="refund")
        self.buys(who)  # there is room again

    def put_version(self, rule_id, found):
        path = f"/programs/default/reward-rules/{rule_id}"
        answer = self.ask(self.node, "PUT", path, json=as_json(found))
        assert answer.json()["version"] == self.note("ruled", rule_id, found)
        self.passes(FELT)

    def a_hold_has_a_last_moment(self, odd):
        rule_id = self.rewarding(hold=3600, approval="manual" if odd else "auto")
        event_id = self.buys(self.pair())
        self.a_hold_ends(early=True, node=self.node)
        self.a_hold_ends(early=False, node=self.node)
        self.steps(self.key_of(rule_id, event_id), ("approve", None))

    def a_reward_is_paid_once(self, odd):
        rule_id = self.rewarding()
        event_id = self.buys(self.pair())
        key = self.key_of(rule_id, event_id)
        self.steps(key, ("fulfil", 1), ("fulfil", 2), ("fulfil", 1))
        if odd:
            self.reviewed("rejected")

    def a_person_with_rewards_is_erased(self, odd):
        beneficiary = "referee" if odd else "referrer"
        rule_id, _ = self.rewarding(beneficiary=beneficiary), self.rewarding(beneficiary=beneficiary, hold=60)
        who = self.pair()
        bought = [self.buys(who) for _ in range(2)]
        self.steps(self.key_of(rule_id, bought[0]), ("fulfil", 1))
        self.erased(who if odd else who.replace("-2", "-1"))
        for event_id in bought:
            self.buys(who, minor=None if odd else 5000, refunds=event_id, kind="refund")

    def the_first_events_count(self, odd):
        self.rewarding(max_events=2)
        who = self.pair()
        first = self.buys(who)
        self.buys(who, minor=2500, refunds=first, kind="purchase" if odd else "refund")
        for _ in range(2):
            self.buys(who)

    def an_erased_person_comes_back(self, odd):
        for trigger in ("sign_up", "referral_confirmed"):
            self.rewarding(trigger=trigger, hold=60, beneficiary="referee" if odd else "referrer")
        who = self.pair()
        self.erased(who)
        self.report(who, who.replace("-2", "-1"), held=False, node=self.node)

    def a_refund_in_part_comes_first(self, odd):
        self.rewarding(**({"basis_points": 1000} if odd else {}))
        who = self.pair()
        self.buys(who, minor=2500, refunds=f"e{len(self.sent) + 1}", kind="refund")
        paid = self.buys(who)
        self.buys(who, minor=2500, refunds=paid, kind="refund")

    def a_reversal_and_a_refund_meet(self, odd):
        rule_id = self.rewarding()
        who = self.pair()
        paid = self.buys(who)
        for refunds in (odd, not odd):
            if refunds:
                self.buys(who, minor=3333, refunds=paid, kind="refund")
            else:
                self.steps(self.key_of(rule_id, paid), ("reverse", 77))

    def a_pool_of_coupons_ends(self, odd):
        rule_id = self.rewarding(kind="coupon", hold=3600)
        who = self.pair()
        bought = [self.buys(who) for _ in range(3)]
        keys = [self.key_of(rule_id, event_id) for event_id in bought]
        self.steps(keys[0], *([("approve", None)] if odd else []), ("cancel", None))
        self.buys(who)
        self.steps(keys[1], ("approve", None), ("reverse", 1))


SCENES = [
    Scenes.within_has_a_last_moment,
    Scenes.a_held_referral_is_reviewed,
    Scenes.a_month_begins,
    Scenes.a_capped_rule_is_replaced,
    Scenes.a_hold_has_a_last_moment,
    Scenes.a_reward_is_paid_once,
    Scenes.a_person_with_rewards_is_erased,
    Scenes.the_first_events_count,
    Scenes.an_erased_person_comes_back,
    Scenes.a_refund_in_part_comes_first,
    Scenes.a_reversal_and_a_refund_meet,
    Scenes.a_pool_of_coupons_ends,
]
