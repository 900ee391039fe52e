"""A product reports people, who click and enter codes, in any order, on two nodes: who referred whom is as `Product` says."""

import asyncio
import time
from collections import Counter
from copy import deepcopy
from datetime import timedelta
from itertools import permutations
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from model.facts import broken_rules
from model.product import MOST, WINDOW, Click, Participant, Product
from model.world import NODES
from server_keys import make_key

EXAMPLES, STEPS, FUZZ_STEPS = 8, 30, 40
NAMES = ("ann", "bea", "cem", "dot", "eli")
SCOPES = ("participants:read", "participants:write", "programs:write")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
FELT = timedelta(seconds=1)
"""After which every node knows the terms of a program."""
TIMES = {
    "a minute": timedelta(minutes=1),
    "an hour": timedelta(hours=1),
    "nearly the grace": timedelta(days=1) - timedelta(seconds=2),
    "more than the grace": timedelta(days=1, seconds=1),
    "nearly the window": timedelta(days=30) - timedelta(seconds=2),
    "more than the window": timedelta(days=30, seconds=1),
    "nearly the life of a code": timedelta(days=364),
    "the life of a code": timedelta(days=365),
}
names = st.sampled_from(NAMES)
claims = st.sampled_from(
    ["code", "code", "code", "touch", "touch", "touch", "both", "both", "earlier", "nothing", "nonsense"]
)
EARLIER = timedelta(days=2)
"""How long ago people signed up who are reported late."""
nodes = st.integers(0, NODES - 1)
reports = st.tuples(names, claims, names, nodes)


class Reports(RuleBasedStateMachine):
    world: Any = None
    runner: Any = None
    steps = 0
    outcomes: ClassVar[Counter[str]] = Counter()

    def call(self, node, method, path, **options):
        headers = {"Authorization": f"Bearer {self.key}", "User-Agent": FIREFOX}
        return self.world.clients[node].request(method, path, headers=headers, **options)

    @initialize()
    def nobody_is_there(self):
        self.runner.run(self.world.begin())
        self.key = self.runner.run(make_key(self.world.apps[0], SCOPES))
        self.product = Product()
        self.change_terms(0, running=True, first_touch=False)
        self.report_at_once([(name, "nothing", name, 0) for name in NAMES[:3]])

    def passes(self, amount):
        self.world.time.passes(amount)

    @property
    def now(self):
        return self.world.time.now

    # What is drawn

    @rule(report=reports)
    def a_person_is_reported(self, report):
        self.report_at_once([report])

    @rule(several=st.lists(reports, min_size=2, max_size=4, unique_by=lambda one: one[:3]))
    def people_are_reported_at_once(self, several):
        self.report_at_once(several)

    @rule(who=names, of=names, node=nodes)
    def a_person_clicks(self, who, of, node):
        owner = self.product.people.get(of)
        if owner is None:
            return
        answer = self.runner.run(self.call(node, "GET", f"/r/{owner.code}"))
        usable = self.product.running and self.now < owner.expires_at
        assert answer.status_code == (302 if usable else 404)
        if usable:
            touch = answer.headers["Location"].rpartition("touch=")[2]
            self.runner.run(self.world.apps[node].state.services.touches.flush())
            self.product.clicked(who).append(Click(touch, owner, self.now))
        self.passes(timedelta(seconds=1))  # no two clicks at one moment

    @rule(
        who=st.sampled_from(NAMES[3:]),
        owners=st.permutations(NAMES[:3]),
        node=nodes,
        first_touch=st.booleans(),
    )
    def a_person_looks_around_and_joins(self, who, owners, node, first_touch):
        self.a_person_is_erased(who, node)
        self.change_terms(node, running=True, first_touch=first_touch)
        for owner in owners[:2]:
            self.a_person_clicks(who, owner, node)
        self.report_at_once([(who, "touch", who, node)])

    @rule(who=st.sampled_from(NAMES[3:]), of=st.sampled_from(NAMES[:3]), node=nodes, late=st.booleans())
    def a_person_clicks_and_joins_at_the_end_of_the_window(self, who, of, node, late):
        self.a_person_is_erased(who, node)
        self.change_terms(node, running=True, first_touch=False)
        self.a_person_clicks(who, of, node)
        if clicks := self.product.clicked(who):
            self.passes(clicks[-1].at + WINDOW + timedelta(seconds=late) - self.now)
        self.report_at_once([(who, "touch", who, node)])

    @rule(pair=st.permutations(NAMES).map(lambda found: found[:2]), node=nodes)
    def two_people_enter_the_codes_of_each_other(self, pair, node):
        one, other = pair
        for who in pair:
            self.a_person_is_erased(who, node)
            self.report_at_once([(who, "nothing", who, node)])
        self.report_at_once([(one, "code", other, 0), (other, "code", one, 1)])

    @rule(running=st.sampled_from([True, True, False]), first_touch=st.booleans(), node=nodes)
    def the_terms_change(self, running, first_touch, node):
        self.change_terms(node, running=running, first_touch=first_touch)

    def change_terms(self, node, *, running, first_touch):
        terms = {
            "status": "active" if running else "paused",
            "attribution": "first_touch" if first_touch else "last_touch",
            "link_target": "https://acme.example/join?ref={code}",
        }
        answer = self.runner.run(self.call(node, "PATCH", "/api/v1/programs/default", json=terms))
        assert answer.status_code == 200, answer.text
        self.product.running, self.product.first_touch = running, first_touch
        self.passes(FELT)

    @rule(who=names, node=nodes)
    def a_person_is_erased(self, who, node):
        answer = self.runner.run(self.call(node, "DELETE", f"/api/v1/participants/{who}"))
        gone = self.product.people.pop(who, None)
        assert answer.status_code == (404 if gone is None else 204)
        if gone is not None:
            gone.erased = True

    @rule(amount=st.sampled_from(list(TIMES)))
    def time_passes(self, amount):
        self.passes(TIMES[amount])

    # What must be

    def report_at_once(self, several):
        """Send reports, and find an order in which all answers are right."""
        type(self).steps += 1
        sent = [(who, *self.claim(who, claim, of), node) for who, claim, of, node in several]

        async def send():
            calls = []
            for who, code, by_touch, signed_up_at, node in sent:
                body = {"referral_code": code} if code is not None else {}
                touches = [click.id for click in self.product.clicked(who)[-MOST:]] if by_touch else []
                body |= {"touch": touches} if touches else {}
                body |= {"signed_up_at": signed_up_at.isoformat()} if signed_up_at else {}
                calls.append(self.call(node, "PUT", f"/api/v1/participants/{who}", json=body))
            return await asyncio.gather(*calls)

        answers = self.runner.run(send())
        refused = []
        for order in permutations(range(len(sent))):
            after = deepcopy(self.product)
            try:
                for place in order:
                    who, code, by_touch, signed_up_at, _ = sent[place]
                    self.judge(after, who, code, by_touch, signed_up_at, answers[place])
            except AssertionError as wrong:
                refused.append(str(wrong).splitlines()[0])
            else:
                self.product = after
                break
        else:
            shown = [
                f"{one} -> {answer.status_code} {answer.text}"
                for one, answer in zip(sent, answers, strict=True)
            ]
            raise AssertionError("\n".join([*shown, "fits in no order:", *dict.fromkeys(refused)]))
        self.passes(timedelta(seconds=1))

    def claim(self, who, claim, of):
        """Return the code that the person enters, whether the clicks are sent, and the time of the sign-up."""
        is_new = who not in self.product.people
        signed_up_at = self.now - EARLIER if claim == "earlier" and is_new else None
        by_touch = claim in {"touch", "both", "earlier"}
        if claim in {"code", "both"}:
            owner = self.product.people.get(of)
            return (owner.code if owner else "NEVER-MADE"), by_touch, signed_up_at
        return ("NEVER-MADE" if claim == "nonsense" else None), by_touch, signed_up_at

    def judge(self, product, who, code, by_touch, signed_up_at, answer):
        referrer, by, reason = product.outcome(
            who, self.now, code=code, by_touch=by_touch, signed_up_at=signed_up_at
        )
        person = product.people.get(who)
        assert answer.status_code == (201 if person is None else 200), "status"
        said = answer.json()
        if person is None:
            person = Participant(
                said["id"],
                who,
                said["code"]["code"],
                self.now + timedelta(days=365),
                signed_up_at or self.now,
            )
            product.people[who] = person
        product.outcomes[reason or by or "nothing"] += 1
        if referrer is not None:
            person.referrer, person.attributed_by = referrer, by
        assert said["id"] == person.id, "another person"
        assert said["warnings"] == ([reason] if reason else []), f"warnings: {said['warnings']}, not {reason}"
        assert (said["referral"] is not None) == (person.referrer is not None), (
            f"a referral: {said['referral']}"
        )
        if person.referrer is not None:
            shown = said["referral"]["referrer"]["external_id"]
            expected = None if person.referrer.erased else person.referrer.external_id
            assert (shown, said["referral"]["attributed_by"]) == (expected, person.attributed_by), "referrer"

    def teardown(self):
        self.outcomes.update(self.product.outcomes)
        for who, person in self.product.people.items():
            answer = self.runner.run(self.call(0, "GET", f"/api/v1/participants/{who}/referrals"))
            friends = sum(one.referrer is person for one in self.product.people.values())
            listed = [item for item in answer.json()["items"] if item["referee"]["external_id"]]
            assert len(listed) == friends
        broken = self.runner.run(broken_rules(self.world.apps[0].state.services.database))
        assert not [name for name in broken if not name.startswith("I3: joined")], broken  # by touches


def test_who_referred_whom_is_as_the_model_says(world, runner, examples, capsys):
    class OnThisDatabase(Reports):
        pass

    OnThisDatabase.world, OnThisDatabase.runner = world, runner
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

    run_state_machine_as_test(OnThisDatabase, settings=rules)

    if examples:
        with capsys.disabled():
            told = f"{OnThisDatabase.steps} steps with reports, {dict(OnThisDatabase.outcomes)}"
            print(f"\n{told} in {time.monotonic() - began:.0f} s")  # noqa: T201
