"""The service that is held against the model: two nodes on one database, and a time that passes when told to."""

import asyncio
import pickle
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from asgi import Client, client_of, running, settings_for
from emptying import empty
from goodword.admin import service as administration
from goodword.app import create_app
from goodword.db.database import Database
from mailboxes import Post
from model.facts import broken_rules, difference, read
from model.state import CODES_ELSEWHERE, Letter, Model, Wrong, expect
from people import Person, join

NODES = 2
BEGINNING = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOTICES = {"password_changed", "session_replayed", "welcome"}


class Time:
    """The clock of all nodes, and the stopwatch that their caches use: they agree, and stand still by themselves."""

    def __init__(self) -> None:
        self.now = BEGINNING
        self._stopwatch = 0.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self._stopwatch

    def passes(self, amount: timedelta) -> None:
        self.now += amount
        self._stopwatch += amount.total_seconds()

    def begins_anew(self) -> None:
        self.now = BEGINNING
        self._stopwatch += 3600  # what caches kept from the example before is too old


@dataclass(frozen=True)
class Answer:
    status: int
    code: str | None
    body: Any


class World:
    """The nodes, what is known of them, and how that is compared."""

    def __init__(self, url: str, folder: Path, time: Time) -> None:
        self.time = time
        self._settings = settings_for(
            url, data_dir=folder, rate_limits="off", log_requests="changes", email_disposable="hold"
        )
        self._stacks = [AsyncExitStack() for _ in range(NODES)]
        self.apps: list[FastAPI] = [None] * NODES
        self.clients: list[Client] = [None] * NODES
        self.model: Model = None
        self.requests = self.steps = self.examples = self.crowds = 0
        self.done: Counter[str] = Counter()

    def told(self) -> str:
        done = ", ".join(f"{name} {count}" for name, count in sorted(self.done.items()))
        return (
            f"{self.examples} examples, {self.steps} steps ({self.crowds} with several requests at once), "
            f"{self.requests} requests; those that were granted: {done}"
        )

    async def open(self) -> None:
        for node in range(NODES):
            await self._start(node)

    async def close(self) -> None:
        for stack in self._stacks:
            await stack.aclose()

    async def _start(self, node: int) -> None:
        app = create_app(self._settings, clock=self.time)
        self.apps[node] = await self._stacks[node].enter_async_context(running(app))
        self.clients[node] = await self._stacks[node].enter_async_context(client_of(app))

    async def restart(self, node: int) -> None:
        await self._stacks[node].aclose()
        await self._start(node)
        self._outdated[node].clear()  # a new process remembers nothing
        self.rita.api = self.clients[0]
        await self.check()

    async def begin(self) -> None:
        """Nobody is there but Rita, who administers and is no part of the model."""
        self.examples += 1
        self.time.begins_anew()
        await empty(self.apps[0].state.services.database)
        self.post().clear()
        self.model = Model(self.time.now)
        self._outdated: list[dict[str, list[tuple[datetime, Any]]]] = [
            defaultdict(list) for _ in range(NODES)
        ]
        self._referrers: dict[str, str] = {}
        self._counters: dict[str, int] = {}
        self.rita: Person = await join(self.clients[0], "rita")
        services = self.apps[0].state.services
        async with services.database.transaction() as session:
            user_id = await administration.find_id(session, self.rita.email)
            await administration.promote(session, services, user_id, now=self.time())
        await self.post()()
        await self.rita.sign_in()
        self._rita_signed_in = self.time.now

    @property
    def _database(self) -> Database:
        return self.apps[0].state.services.database

    def post(self) -> Post:
        return Post(self.apps[0])

    # Steps

    async def passes(self, amount: timedelta) -> None:
        self._pass(amount)
        await self.check()

    def _pass(self, amount: timedelta) -> None:
        self.time.passes(amount)
        self.model.now = self.time.now

    async def do(self, *wishes: Any) -> None:
        """Send requests, all at once, and find an order in which their answers, and what stands in the tables, are right."""
        self._pass(timedelta(milliseconds=1))
        if self.time.now > self._rita_signed_in + timedelta(minutes=5):
            await self.rita.sign_in()
            self._rita_signed_in = self.time.now
        self.steps += 1
        self.crowds += len(wishes) > 1
        calls = [wish.call(self) for wish in wishes]
        answers = await asyncio.gather(*(self._send(call) for call in calls))
        nodes = {call.node for call in calls}
        by = nodes.pop() if len(nodes) == 1 else None
        before, facts = self.model, await read(self._database, but=self.rita.id)
        told = list(zip(wishes, calls, answers, strict=True))
        refused: list[str] = []
        for after in _orders(before, told, by, refused):
            wrong = difference(after.facts(), facts)
            if wrong is None:
                break
            refused.append(wrong)
        else:
            lines = [
                f"{wish} -> {answer.status} {answer.code or ''} {answer.body}" for wish, _, answer in told
            ]
            raise Wrong("\n".join([*lines, "fits in no order:", *dict.fromkeys(refused)]))
        self.model = after
        self.done.update(type(wish).__name__ for wish, _, answer in told if answer.status < 300)
        self._note_outdated(before, after, by)
        for call, answer in zip(calls, answers, strict=True):
            if by is None and call.looks_up:
                # The other node may have seen a state that lasted no longer than this step.
                self._outdated[call.node][call.looks_up].append((self.time.now, call.seen(answer)))
        await self.check(facts)

    async def _send(self, call: Any) -> Answer:
        headers = {"Authorization": f"Bearer {call.token}"} if call.token else {}
        items, params = [], dict(call.params or {})
        while True:
            self.requests += 1
            answer = await self.clients[call.node].request(
                call.method, call.path, headers=headers, json=call.json, data=call.data, params=params
            )
            body = answer.json() if answer.content else None
            if answer.status_code >= 300:
                return Answer(answer.status_code, body.get("code") or body.get("error"), body)
            if not call.paged:
                return Answer(answer.status_code, None, body)
            items += body["items"]
            if body["next_cursor"] is None:
                return Answer(answer.status_code, None, {"items": items})
            params["cursor"] = body["next_cursor"]

    def _note_outdated(self, before: Model, after: Model, by: int | None) -> None:
        was, is_ = before.shown(), after.shown()
        for name in was.keys() | is_.keys():
            if was.get(name) != is_.get(name):
                for node in range(NODES):
                    if node == by:
                        self._outdated[node].pop(name, None)
                    else:
                        self._outdated[node][name].append((self.time.now, was.get(name)))

    def outdated(self, node: int, name: str) -> list[Any]:
        """What a node may still show although it is no longer true: what was, elsewhere, a second ago."""
        since = self.time.now - CODES_ELSEWHERE
        return [value for ended_at, value in self._outdated[node][name] if ended_at > since]

    async def letters_come(self) -> None:
        """The worker does what is due: a letter for everybody who was promised one and still is to get it."""
        self._pass(timedelta(milliseconds=1))
        expected: Counter[tuple[str, str]] = Counter()
        for (kind, user_id), count in self.model.unsent.items():
            account = self.model.accounts[user_id]
            if account.status == "active" and not (kind == "verify_email" and account.verified):
                expected["notice" if kind == "notice" else kind, account.id] += count
        self.model.unsent.clear()
        came: Counter[tuple[str, str]] = Counter()
        for letter in await self.post()():
            account = next(
                one
                for one in self.model.accounts.values()
                if one.status == "active" and one.address == letter.to
            )
            came["notice" if letter.kind in NOTICES else letter.kind, account.id] += 1
            if letter.kind == "verify_email":
                self.model.letters.append(Letter(letter.token, account.id, self.time.now))
        # Of friends who joined not everybody is told: ten a day, and nothing of one who left meanwhile.
        for about in [about for about in expected | came if about[0] == "friend_joined"]:
            expect(came[about] <= expected[about], f"too many letters: {about}")
            del expected[about], came[about]
        expect(came == expected, f"letters: {came}, not {expected}")
        await self.check()

    # What stands in the tables

    async def check(self, facts: dict[str, Any] | None = None) -> None:
        """The invariants, by SQL."""
        facts = facts or await read(self._database, but=self.rita.id)
        wrong = difference(self.model.facts(), facts)
        expect(wrong is None, f"the tables say otherwise (I4, I5): {wrong}")
        broken = await broken_rules(self._database)
        expect(not broken, ", ".join(broken))
        referrers = {referee: referrer for referrer, referee, _, _ in facts["referrals"]}
        expect(self._referrers.items() <= referrers.items(), "a referrer changed (I2)")
        counters = {session: values[1] for session, values in facts["sessions"].items()}
        lower = [
            session for session, counter in self._counters.items() if counters.get(session, -1) < counter
        ]
        expect(not lower, "the counter of a session decreased (I7)")
        self._referrers, self._counters = referrers, counters


def _orders(
    model: Model, told: Sequence[tuple[Any, Any, Answer]], by: int | None, refused: list[str]
) -> Iterator[Model]:
    """What the model may be after these answers: one for each order of them in which every answer is right."""
    if not told:
        yield model
    for place, (wish, call, answer) in enumerate(told):
        after: Model = pickle.loads(pickle.dumps(model))
        try:
            call.judge(after, answer, by)
        except Wrong as wrong:
            refused.append(f"  {type(wish).__name__} -> {answer.status}: {wrong}")
        else:
            yield from _orders(after, [*told[:place], *told[place + 1 :]], by, refused)
