"""Whatever people do, in whatever order, at the same time and on two nodes: the service does what the model says.

A Hypothesis state machine draws the requests, time, restarts and letters; `World` sends them, and holds each
answer and, after each step, the tables against `Model`. Requests that are sent at once may have happened in any
order, as long as there is one. `make test` runs the same few examples each time, `make fuzz` many new ones.
"""

import time
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from model.code_requests import (
    Activate,
    CountFriends,
    DeleteCode,
    ListCodes,
    ListFriends,
    LookUp,
    LookUpByEmail,
    MakeCode,
    ShowCode,
)
from model.requests import ADDRESSES, Administer, Leave, ReadMe, Register, Rename, Verify
from model.session_requests import ChangePassword, Refresh, SignInAgain, SignOut
from model.state import key_of
from model.world import NODES

EXAMPLES, STEPS, FUZZ_STEPS = 6, 30, 40

numbers = st.integers(0, 2)
nodes = st.integers(0, NODES - 1)
people = st.integers(0, len(ADDRESSES) - 1)
mostly = st.sampled_from([True, True, True, False])
TIMES = {
    "a moment": timedelta(seconds=0.3),
    "a second": timedelta(seconds=1),
    "five seconds": timedelta(seconds=5),
    "nearly ten": timedelta(seconds=9.9),
    "eleven seconds": timedelta(seconds=11),
    "a minute": timedelta(seconds=60),
    "ten minutes": timedelta(minutes=10),
    "an hour": timedelta(hours=1),
    "a day": timedelta(days=1),
    "a month": timedelta(days=30),
    "three months": timedelta(days=90),
}


MEANWHILE = [*list(TIMES)[:6] * 2, *TIMES, *["letters"] * 6, "restart", "restart"]


@cache  # Hypothesis takes its time to understand a strategy, and does so once for each
def wishes_about(who, *, at_once=False):
    """What can be wished for that concerns this person: by them, or by others to them."""
    theirs = {"node": nodes, "who": st.just(who), "device": st.sampled_from([0, 0, 0, 1, 2])}
    anybodys = {"node": nodes, "who": st.just(who)}
    on_code = theirs | {"of": st.sampled_from([who, who, who, 0]), "nth": numbers}
    make = st.builds(
        MakeCode,
        **theirs,
        lifetime=st.sampled_from([60, 3600, 2_592_000]),
        wanted=st.sampled_from([None, None, None, "LANTERN-1", "lan-tern-I"]),
        is_active=mostly,
        max_uses=st.sampled_from([None, None, 1, 2]),
        discoverable=mostly,
    )
    register = st.builds(Register, **anybodys, spelling=numbers, short=st.sampled_from([False] * 9 + [True]))
    friend = {"node": nodes, "who": people, "spelling": numbers}
    brought = st.builds(Register, **friend, code_of=st.just(who), nth=st.sampled_from([0, 0, 0, 1, 2]))
    # Those are read page by page, and so not at one moment.
    pages = st.builds(ListCodes, **theirs), st.builds(ListFriends, **theirs, limit=st.integers(1, 3))
    activate = st.builds(Activate, **on_code, replace=mostly)
    delete = st.builds(DeleteCode, **on_code)
    return st.one_of(
        *(make, make, make, brought, brought, brought, activate, activate, delete, delete),
        register,
        st.builds(SignInAgain, **anybodys, spelling=numbers, right=mostly),
        st.builds(Refresh, **theirs, back=numbers),
        st.builds(Refresh, **theirs),
        st.builds(SignOut, **theirs, where=st.sampled_from(["here", "there", "everywhere"])),
        st.builds(ChangePassword, **theirs, right=mostly),
        st.builds(Verify, **anybodys),
        st.builds(ReadMe, **theirs),
        st.builds(Rename, **theirs, name=st.sampled_from(["Ann", "Bea", None])),
        st.builds(Leave, **theirs, right=mostly),
        st.builds(Administer, **anybodys, action=st.sampled_from(["disable", "enable", "enable", "erase"])),
        st.builds(ShowCode, **on_code, discoverable=st.booleans()),
        st.builds(LookUp, **anybodys, nth=numbers, careless=st.booleans()),
        st.builds(LookUpByEmail, **anybodys, spelling=numbers),
        st.builds(CountFriends, **theirs),
        *(() if at_once else pages),
    )


PREPARED = st.sampled_from(["with two codes", "with a code", "signed in", "not at all"])
VIEWS = (LookUp, LookUpByEmail, ReadMe, ListCodes)
wishes = people.flatmap(wishes_about)
wishes_at_once = people.flatmap(lambda who: wishes_about(who, at_once=True))


def crowds_of(wish):
    return st.lists(wish, min_size=2, max_size=4)


class Service(RuleBasedStateMachine):
    world: Any = None
    runner: Any = None
    failed = False

    def run(self, step):
        self.failed = True
        self.runner.run(step)
        self.failed = False

    def do(self, *wanted):
        self.run(self.world.do(*wanted))

    def prepare(self, who, how):
        """Most is only possible for somebody who has an account, is signed in, and has a code."""
        if how == "not at all":
            return
        key = key_of(ADDRESSES[who][0])
        if self.world.model.holder(key) is None:
            self.do(Register(node=0, who=who))
        if not ReadMe(node=0, who=who).is_let_in(self.world.model):
            self.do(SignInAgain(node=0, who=who))
        if "code" in how and f"email:{key}" not in self.world.model.shown():
            self.do(MakeCode(node=0, who=who))
        if how == "with two codes" and not self.world.model.prepared_codes_of(key):
            self.do(MakeCode(node=0, who=who, is_active=False))

    @initialize(uses=st.sampled_from([None, 2]))
    def two_people_are_there(self, uses):
        self.run(self.world.begin())
        for who in (0, 1):
            self.prepare(who, "signed in")
        self.do(MakeCode(node=0, who=0, max_uses=uses))

    @rule(wish=wishes, prepared=PREPARED)
    def somebody_asks(self, wish, prepared):
        self.prepare(wish.who, prepared)
        self.do(wish)

    @rule(
        wish=wishes,
        views=st.lists(st.sampled_from(VIEWS), min_size=1, max_size=2, unique=True),
        prepared=PREPARED,
    )
    def somebody_asks_and_it_is_seen(self, wish, views, prepared):
        """Both nodes look before, so that they remember what is about to be outdated, and again at once."""
        self.prepare(wish.who, prepared)
        looks = [view(node=node, who=wish.who) for view in views for node in range(NODES)]
        for one in (*looks, wish, *looks):
            self.do(one)

    @rule(crowd=people.flatmap(lambda who: crowds_of(wishes_about(who, at_once=True))), prepared=PREPARED)
    def people_ask_at_once_about_one_person(self, crowd, prepared):
        self.prepare(crowd[0].who, prepared)
        self.do(*crowd)

    @rule(wish=wishes_at_once, many=st.integers(2, 6), spread=st.booleans(), prepared=PREPARED)
    def many_ask_the_same_at_once(self, wish, many, spread, prepared):
        self.prepare(wish.who, prepared)
        self.do(*(replace(wish, node=(wish.node + n * spread) % NODES) for n in range(many)))

    @rule(crowd=crowds_of(wishes_at_once))
    def people_ask_at_once(self, crowd):
        self.do(*crowd)

    @rule(who=people, node=nodes, yes=mostly, others=st.lists(wishes_at_once, max_size=2))
    def one_code_follows_another(self, who, node, yes, others):
        self.prepare(who, "with two codes")
        for look in (LookUp, LookUpByEmail):
            self.do(look(node=node, who=who))
        self.do(Activate(node=node, who=who, of=who, replace=yes), *others)

    @rule(
        who=people, times=st.integers(1, 3), wait=st.sampled_from(list(TIMES)[:6]), back=numbers, node=nodes
    )
    def a_token_comes_late(self, who, times, wait, back, node):
        self.prepare(who, "signed in")
        for _ in range(times):
            self.do(Refresh(node=0, who=who))
        self.run(self.world.passes(TIMES[wait]))
        self.do(Refresh(node=node, who=who, back=back))
        self.do(ReadMe(node=node, who=who))

    @rule(what=st.sampled_from(MEANWHILE), node=nodes, who=people)
    def meanwhile(self, what, node, who):
        if what == "letters":
            self.run(self.world.letters_come())
            self.do(Verify(node=node, who=who))
        elif what == "restart":
            self.run(self.world.restart(node))
        else:
            self.run(self.world.passes(TIMES[what]))

    def teardown(self):
        """A day later nobody may see anything but what is true, on no node."""
        if self.failed or self.world.model is None:
            return
        self.run(self.world.passes(timedelta(days=1)))
        for who in range(len(ADDRESSES)):
            self.prepare(who, "signed in")
            for number, one in enumerate(
                (LookUp, LookUpByEmail, ReadMe, ListCodes, ListFriends, CountFriends)
            ):
                self.do(one(node=number % NODES, who=who))


def test_the_service_does_what_the_model_says(world, runner, examples, capsys):
    class OnThisDatabase(Service):
        pass

    OnThisDatabase.world, OnThisDatabase.runner = world, runner
    rules = settings(
        max_examples=examples or EXAMPLES,
        stateful_step_count=FUZZ_STEPS if examples else STEPS,
        derandomize=not examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()

    run_state_machine_as_test(OnThisDatabase, settings=rules)

    if examples:
        with capsys.disabled():
            print(f"\n{world.told()} in {time.monotonic() - began:.0f} s")  # noqa: T201
