"""Rules, events, refunds, reviews, erasures and time in any order, on two nodes: what people earn is as `Ledger` says.

Random steps seldom meet the bounds of the rules. So an ordinary run also plays each scene of `reward_scenes` once. Of
faults that were put into the code, one at a time, it finds these: `within` excludes its last moment; a reward of a held
referral is approved at once; months are those of UTC; a cap counts the versions of a rule; a hold ends a moment late, or
begins when the referral is released; a rejection spares what is paid, or cancels it; an erasure spares what is approved,
or takes what is paid; a second payment reference takes the place of the first; refunds count for `max_events`; a person
who comes back is new; shares round half up; a refund in part before its event is forgotten; a refund takes less after a
reversal; a coupon of a canceled reward is lost, or one that was seen is given again; canceled rewards count for caps.
"""

import time
from datetime import datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from goodword.rewards import holds
from model.earned import ZONE
from model.earnings import STATES, Ledger
from model.reward_requests import NAMES, as_json, json_of
from model.reward_scenes import FELT, MOST_RULES, SCENES, Scenes, nodes
from model.reward_terms import AMOUNTS, periods, terms, with_period
from people import as_a_request
from rewards.conftest import SCOPES
from server_keys import make_key

EXAMPLES, STEPS, FUZZ_STEPS = 4, 16, 30
FIRST = [
    {"beneficiary": "referrer", "basis_points": 1000, "hold": 0},
    {"beneficiary": "referee", "amount_minor": 500, "hold": 3600, "cap": {"count": 2, "per": "month"}},
]
FIRST = [{"trigger": "purchase", "kind": "credit", "approval": "auto", **found} for found in FIRST]
"""Rules that are there from the beginning, so that most events earn something."""
TIMES = [timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=31)]
names, numbers = st.sampled_from(NAMES), st.integers(0, 11)
moments = st.sampled_from(
    ["now"] * 14
    + ["sign-up", "before the sign-up", "within", "after within", "month", "before the month"]
    + ["period", "before the period", "end", "before the end", "leeway", "future", "oldest", "too old"]
)
events = st.fixed_dictionaries(
    {
        "do": st.just("event"),
        "type": st.sampled_from(["purchase", "purchase", "purchase", "trial"]),
        "who": st.sampled_from(["bea", "bea", "cem", "cem", "cem", "ann", "dot", "eli"]),
        "moment": moments,
        "amount": st.sampled_from(AMOUNTS),
        "currency": st.sampled_from(["USD"] * 9 + ["EUR"]),
    }
)
refunds = st.fixed_dictionaries(
    {
        "do": st.just("refund"),
        "of": st.integers(-2, 3),
        "part": st.sampled_from([None, 1, 3, 10, 25, 50, 50, 100, 100, 120]),
        "other": st.sampled_from([None] * 6 + ["person", "currency"]),
    }
)
steps = st.fixed_dictionaries(
    {
        "do": st.sampled_from(["approve", "fulfil", "fulfil", "cancel", "reverse", "reverse"]),
        "which": numbers,
        "part": st.sampled_from([None, None, 1, 10**9]),
    }
)
repeats = st.fixed_dictionaries(
    {"do": st.just("again"), "which": numbers, "other": st.sampled_from([False, False, True])}
)
reviews = st.fixed_dictionaries({"do": st.sampled_from(["rejected", "accepted", "erased"]), "which": numbers})
actions = st.tuples(st.one_of(events, events, events, refunds, refunds, steps, repeats, reviews), nodes)


class Earning(Scenes):
    @initialize()
    def three_people_are_there(self):
        self.runner.run(self.world.begin())
        self.key = self.runner.run(make_key(self.world.apps[0], SCOPES))
        self.facts, self.sent, self.ids, self.codes = [], [], {}, {}
        self.ledger = Ledger([])
        answer = self.ask(0, "PATCH", "/programs/default", json={"time_zone": ZONE.key})
        assert answer.status_code == 200
        self.passes(FELT)
        self.rules = []
        for who, of in (("ann", "ann"), ("bea", "ann"), ("cem", "ann")):
            self.report(who, of, held=False, node=0)
        for found in FIRST:
            self.a_rule_changes("make", 0, found, "none", 0)

    # What is drawn

    @rule(
        who=names,
        of=names,
        held=st.sampled_from([False, False, True]),
        ago=st.sampled_from([None] * 3 + [2]),
        node=nodes,
    )
    def a_person_is_reported(self, who, of, held, ago, node):
        self.report(who, of, held=held, node=node, ago=ago)
        self.check(node)

    def report(self, who, of, *, held, node, ago=None):
        person = self.ledger.person(who)
        signed_up_at = self.now - timedelta(hours=ago) if ago else person.signed_up_at if person else self.now
        body = {"email": f"{who}@{'mailinator.com' if held else 'example.com'}"}
        body |= {"signed_up_at": signed_up_at.isoformat()} if ago else {}
        body |= {"referral_code": self.codes[of]} if of in self.codes else {}
        answer = self.ask(node, "PUT", f"/participants/{who}", json=body)
        said = answer.json()
        assert answer.status_code == (200 if person else 201), said
        assert datetime.fromisoformat(said["signed_up_at"]) == signed_up_at
        self.note("reported", said["id"], who, signed_up_at)
        if said["code"]:
            self.codes[who] = said["code"]["code"]
        made = said["referral"]
        if made and made["id"] not in self.ledger.referrals:
            assert made["status"] == ("held" if held else "confirmed")
            referrer = self.ledger.person(made["referrer"]["external_id"])
            self.note("referred", made["id"], referrer.id, said["id"], held)

    @rule(
        how=st.sampled_from(["make", "make", "replace", "replace", "same", "end"]),
        which=numbers,
        found=terms,
        period=periods,
        node=nodes,
    )
    def a_rule_changes(self, how, which, found, period, node):
        found = with_period(found, period, self.now)
        if not self.rules or (how == "make" and len(self.rules) < MOST_RULES):
            self.put_rule(found, node)
        else:
            rule_id = self.rules[which % len(self.rules)]
            path = f"/programs/default/reward-rules/{rule_id}"
            if how == "end":
                assert self.ask(node, "DELETE", path).status_code == 204
                self.rules.remove(rule_id)
                self.note("ruled", rule_id, None)
            else:
                found = self.ledger.rules[rule_id][1] if how == "same" else found
                answer = self.ask(node, "PUT", path, json=as_json(found))
                assert answer.json()["version"] == self.note("ruled", rule_id, found)
            self.passes(FELT)

    @rule(running=st.sampled_from([True, True, False]), node=nodes)
    def the_program_pauses_or_runs(self, running, node):
        answer = self.ask(
            node, "PATCH", "/programs/default", json={"status": "active" if running else "paused"}
        )
        assert answer.status_code == 200, answer.text
        self.note("program_is", running)
        self.passes(FELT)

    @rule(action=actions)
    def something_happens(self, action):
        self.do(action)

    @rule(first=events, node=nodes, several=st.lists(actions, min_size=1, max_size=3))
    def some_things_happen_at_once(self, first, node, several):
        self.do((first, node), *several)

    @rule(event=events, node=nodes)
    def an_event_is_tried_and_then_happens(self, event, node):
        what, about, _, _, json = self.wish(event)
        answer = self.ask(node, "POST", "/events/dry-run", json=json)
        tried = Ledger([*self.facts, (self.now, what, about)])
        expected = tried.answer
        if expected[0] == 201:
            said, expected = answer.json(), expected[1:3]
            assert (
                {one["rule_id"]: one["reason"] for one in said["not_rewarded"]},
                said["warnings"],
            ) == expected
            assert {
                (one["rule_id"], one["rule_version"], json["id"]): (
                    one["amount_minor"],
                    one["status"],
                    one["beneficiary"],
                )
                for one in said["rewards"]
            } == {
                key: (reward.amount, reward.entries[0][1], reward.terms["beneficiary"])
                for key, reward in tried.rewards.items()
                if key[2] == json["id"]
            }
        else:
            assert (answer.status_code, answer.json()["code"]) == expected
        self.check(node)
        self.send([(what, about, node, "/events", json)])

    @rule(event=events, part=st.sampled_from([None, 25, 50, 100]), node=nodes)
    def a_refund_comes_before_its_event(self, event, part, node):
        minor = None if part is None else max(1, (event["amount"] or 0) * part // 100)
        currency, refunded = event["currency"] if minor else None, f"e{len(self.sent) + 1}"
        about = (f"e{len(self.sent)}", "refund", event["who"], self.now, minor, currency, refunded)
        self.sent.append(about)
        self.send([("event", about, node, "/events", json_of(*about))])
        self.do((event, node))

    @rule(amount=st.sampled_from(TIMES), node=nodes)
    def time_passes(self, amount, node):
        self.passes(amount)
        self.holds_end(node)

    @rule(early=st.booleans(), node=nodes)
    def a_hold_ends(self, early, node):
        times = [
            one.available_at
            for one in self.ledger.rewards.values()
            if one.status == "pending" and one.available_at
        ]
        coming = [at - self.now for at in times if at > self.now]
        if coming:
            self.passes(min(coming) - timedelta(microseconds=early))
        self.holds_end(node)

    def holds_end(self, node):
        services = self.world.apps[node].state.services

        async def end():
            with as_a_request(services):
                async with services.database.transaction() as session:
                    await holds.approve_due(session, services, now=services.clock())

        self.runner.run(end())
        self.note("holds_end")
        self.check(node)

    def teardown(self):
        for person in self.ledger.people.values():
            expected = self.ledger.balances(person.id)
            if person.erased:
                assert all(not sums["pending"] + sums["approved"] for sums in expected.values())
                continue
            token = self.ask(1, "POST", f"/participants/{person.external_id}/tokens", json={}).json()
            found = self.ask(1, "GET", "/me/reward-balances", key=token["access_token"]).json()["items"]
            assert {
                (one["kind"], one["currency"]): {state: one[f"{state}_minor"] for state in STATES}
                for one in found
            } == expected


@pytest.fixture
def machine(world, runner):
    class OnThisDatabase(Earning):
        pass

    OnThisDatabase.world, OnThisDatabase.runner = world, runner
    return OnThisDatabase


@pytest.mark.parametrize("odd", [False, True])
def test_what_people_earn_is_as_the_ledger_says_at_each_bound(machine, odd):
    """Play all scenes once, a few on each empty database: a run of the machine draws only some of them."""
    for first in range(3):
        found = machine()
        found.three_people_are_there()
        for number in range(first, len(SCENES), 3):
            found.play(number, odd, node=number % 2)
        found.teardown()


def test_what_people_earn_is_as_the_ledger_says(machine, examples, capsys):
    rules = settings(
        max_examples=examples or EXAMPLES,
        stateful_step_count=FUZZ_STEPS if examples else STEPS,
        derandomize=not examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if examples else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()

    run_state_machine_as_test(machine, settings=rules)

    if examples:
        with capsys.disabled():
            told = f"{machine.requests} requests, {dict(machine.done)}"
            print(f"\n{told} in {time.monotonic() - began:.0f} s")  # noqa: T201
