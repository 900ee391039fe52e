"""What is sent to two nodes about rewards, and whether the answers and the tables are as the ledger says."""

import asyncio
from collections import Counter
from datetime import datetime
from itertools import permutations
from typing import Any, ClassVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from goodword.errors import AppError
from goodword.referrals import service as referrals
from model.earnings import Ledger
from model.reward_facts import broken_rules, read
from people import as_a_request


def key_of(item):
    return item["rule_id"], item["rule_version"], item["event_id"]


def by_key(items):
    """Return rewards of answers, in the form of `Reward.shown`."""
    names = ["kind", "beneficiary", "status", "amount_minor", "remaining_minor", "currency"]
    return {
        key_of(item): (
            *(item[name] for name in names),
            item["participant"]["id"],
            item["referral_id"],
            item["available_at"] and datetime.fromisoformat(item["available_at"]),
            item["external_reference"],
            item["coupon"],
        )
        for item in items
    }


class Judged(RuleBasedStateMachine):
    world: Any = None
    runner: Any = None
    key = ""
    ledger: Any = None
    facts: Any = None
    ids: Any = None
    """Of the rewards, by their keys."""
    sent: Any = None
    """The arguments of each event that was sent."""
    requests = 0
    done: ClassVar[Counter[str]] = Counter()

    def call(self, node, method, path, *, key=None, **options):
        type(self).requests += 1
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return self.world.clients[node].request(method, f"/api/v1{path}", headers=headers, **options)

    def ask(self, node, method, path, **options):
        return self.runner.run(self.call(node, method, path, **options))

    @property
    def now(self):
        return self.world.time.now

    def passes(self, amount):
        self.world.time.passes(amount)

    def note(self, what, *about):
        self.facts.append((self.now, what, about))
        self.ledger = Ledger(self.facts)
        return self.ledger.answer

    def send(self, wishes):
        """Send requests at once, and find an order in which all answers and all that is stored are right."""
        if not wishes:
            return

        async def all_at_once():
            return await asyncio.gather(*(self.request(*wish) for wish in wishes))

        answers = self.runner.run(all_at_once())
        refused = []
        for order in permutations(range(len(wishes))):
            facts = list(self.facts)
            for place in order:
                what, about, *_ = wishes[place]
                facts.append((self.now, what, about))
                ledger = Ledger(facts)
                if ledger.answer != answers[place]:
                    refused.append(f"{what} {about}: {answers[place]}, not {ledger.answer}")
                    break
            else:
                former, self.facts, self.ledger = (self.facts, self.ledger), facts, ledger
                if (wrong := self.wrong(wishes[0][2])) is None:
                    break
                refused.append(wrong)
                self.facts, self.ledger = former
        else:
            raise AssertionError("\n".join(["fits in no order:", *dict.fromkeys(refused)]))
        for (what, *_), answer in zip(wishes, answers, strict=True):
            self.done[f"{what} {answer[0] if isinstance(answer, tuple) else answer}"] += 1

    async def request(self, what, about, node, path, json):
        if what == "accepted":
            return await self.accept(self.world.apps[node], *about)
        if what == "rejected":
            await self.world.rita.start_session()
            key = self.world.rita.tokens["access_token"]
            path = f"/admin/referrals/{about[0]}/reject"
            return (await self.call(node, "POST", path, key=key, json={"reason": "a test"})).status_code
        if what == "erased":
            return (await self.call(node, "DELETE", path)).status_code
        answer = await self.call(node, "POST", path, json=json)
        said = answer.json()
        if answer.status_code >= 400:
            return answer.status_code, said["code"]
        if what != "event":
            return answer.status_code, None
        refusals = {one["rule_id"]: one["reason"] for one in said["not_rewarded"]}
        return answer.status_code, refusals, said["warnings"], by_key(said["rewards"])

    async def accept(self, app, referral_id):
        services = app.state.services
        try:
            with as_a_request(services):
                async with services.database.transaction() as session:
                    await referrals.accept(session, services, UUID(referral_id), now=services.clock())
        except AppError as error:
            return error.status
        return 200

    def check(self, node):
        wrong = self.wrong(node)
        assert wrong is None, wrong

    def wrong(self, node):
        """Return in what the service, or what is stored, differs from the ledger."""
        listed = self.listed(node)
        self.ids = {key: listed[key]["id"] for key in self.ledger.rewards if key in listed}
        database = self.world.apps[node].state.services.database
        rewards, events = self.runner.run(read(database))
        for name, expected, found in (
            (
                "GET /rewards",
                {key: one.shown() for key, one in self.ledger.rewards.items()},
                by_key(listed.values()),
            ),
            ("entries", {key: (one.month, one.entries) for key, one in self.ledger.rewards.items()}, rewards),
            (
                "events",
                {one.id: (one.type, one.who, one.at, one.refunds) for one in self.ledger.events.values()},
                events,
            ),
        ):
            if expected != found:
                only = [
                    f"{one}: {value}, not {expected.get(one)}"
                    for one, value in found.items()
                    if expected.get(one) != value
                ]
                missing = [
                    f"{one}: {value} is missing" for one, value in expected.items() if one not in found
                ]
                return f"{name}: {only + missing}"
        return ", ".join(self.runner.run(broken_rules(database))) or None

    def listed(self, node):
        items, params = [], {"limit": 20}
        while True:
            page = self.ask(node, "GET", "/rewards", params=params).json()
            items += page["items"]
            if page["next_cursor"] is None:
                return {key_of(item): item for item in items}
            params["cursor"] = page["next_cursor"]
