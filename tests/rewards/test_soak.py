"""Sign-ups, events, refunds, steps, reviews, merges and erasures at the same time, and what must hold afterwards.

The ordinary run has few actions. `--fuzz=100` makes some thousands, other ones each time.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from asgi import replaced
from goodword.signup.email_verification import mark_email_verified
from goodword.users import service as users
from model.reward_facts import broken_rules
from people import as_a_request, join
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

WORKERS, ACTIONS = 8, 80
LIMIT = {"count": 3, "per": "ever"}
EXPECTED = {200, 201, 204, 404, 409, 422}
BROKEN = {
    "a cap holds": """SELECT 1 FROM rewards r JOIN reward_rules v ON v.id = r.rule_version_id
        WHERE v.cap_count IS NOT NULL AND r.remaining_minor > 0
        GROUP BY r.referrer_id, r.rule_id HAVING count(*) > 3""",
    "an erased person has nothing to get": """SELECT 1 FROM rewards r JOIN users u ON u.id = r.user_id
        WHERE u.status = 'erased' AND r.status IN ('pending', 'approved')""",
    "a confirmation is recorded": """SELECT 1 FROM referrals f WHERE f.status = 'confirmed' AND NOT EXISTS (
        SELECT 1 FROM events e WHERE e.type = 'referral_confirmed' AND e.participant_id = f.referee_id)""",
    "a coupon is given once": """SELECT 1 FROM rewards r LEFT JOIN coupons c ON c.reward_id = r.id
        WHERE r.kind = 'coupon' AND r.status IN ('pending', 'fulfilled') AND c.id IS NULL""",
    "a hold begins with the confirmation": """SELECT 1 FROM rewards r JOIN referrals f ON f.id = r.referral_id
        WHERE r.status = 'pending' AND (r.available_at IS NULL) = (f.status = 'confirmed')""",
}
BALANCES = """
    SELECT r.amount_minor, r.remaining_minor, e.amount_minor, (
        SELECT coalesce(sum(b.amount_minor), 0) FROM events b WHERE b.refunds = e.source_id
        AND b.program_id = e.program_id AND b.participant_id = e.participant_id
    ), (SELECT coalesce(sum(n.amount_minor), 0) FROM reward_entries n WHERE n.reward_id = r.id AND n.reason = 'by hand')
    FROM rewards r JOIN events e ON e.id = r.event_id JOIN users u ON u.id = r.user_id
    WHERE r.remaining_minor > 0 AND r.kind = 'credit' AND e.type = 'purchase' AND u.status <> 'erased'
"""


class Soak:
    """Actions about people, orders, rewards and referrals that exist, or existed."""

    def __init__(self, shop, app, seed):
        self.shop, self.app, self.random = shop, app, random.Random(seed)
        self.names, self.codes = [], []
        self.orders, self.rewards, self.referrals = [], [], []
        self.done = Counter()
        self.begin = shop.now

    def some(self, found):
        return self.random.choice(found) if found else None

    async def sign_up(self):
        name = f"p{len(self.names)}"
        self.names.append(name)
        code, host = self.some(self.codes), self.some(["example.com", "example.com", "mailinator.com"])
        body = {"email": f"{name}@{host}"} | ({"referral_code": code} if code else {})
        answer = await self.shop.put(name, **body)
        if answer.status_code in {200, 201}:
            said = answer.json()
            self.codes += [said["code"]["code"]] if said["code"] and len(self.codes) < 6 else []
            self.referrals += [said["referral"]["id"]] if said["referral"] else []
        return answer

    async def buy(self):
        again = self.random.random() < 0.2
        name, order = (self.some(self.orders) or (self.some(self.names), "o0")) if again else (None, None)
        if order is None:
            name, order = self.some(self.names), f"o{len(self.orders)}"
            self.orders.append((name, order))
        answer = await self.shop.send(order, name, occurred_at=self.begin + timedelta(minutes=1))
        if answer.status_code in {200, 201}:
            self.rewards += [one["id"] for one in answer.json()["rewards"]]
        return answer

    async def refund(self):
        name, order = self.some([*self.orders, (self.some(self.names), f"o{len(self.orders)}")])
        minor = self.some([None, 1, 3333, 5000, 5000, 10_000])
        amount = {"minor": minor, "currency": "USD"} if minor else None
        refund = f"r{self.random.randrange(10**9)}"
        return await self.shop.send(refund, name, type="refund", amount=amount, refunds=order)

    async def step(self):
        reward, step = self.some(self.rewards), self.some(["approve", "fulfil", "cancel", "reverse", "part"])
        if reward is None:
            return None
        if step in {"approve", "fulfil"}:
            return await self.shop.step(reward, step)
        part = {"amount_minor": 7} if step == "part" else {}
        return await self.shop.step(
            reward, "cancel" if step == "cancel" else "reverse", reason="by hand", **part
        )

    async def review(self):
        referral, decision = self.some(self.referrals), self.some(["accept", "accept", "accept", "reject"])
        body = {"reason": "a test"} if decision == "reject" else None
        path = f"/api/v1/referrals/{referral}/{decision}"
        return await self.shop.call("POST", path, json=body) if referral else None

    async def erase(self):
        return await self.shop.delete(self.some(self.names[3:]) or "p0")

    async def merge(self):
        """Let an account verify the address of a participant."""
        name, services = self.some(self.names), self.app.state.services
        if name is None or f"merged {name}" in self.done:
            return
        self.done[f"merged {name}"] = 1
        person = await join(self.shop.api, name)
        with as_a_request(services):
            async with services.database.transaction() as session:
                user = await session.scalar(users.LOCKED, {"user_id": UUID(str(person.user["id"]))})
                await mark_email_verified(session, services, user, now=services.clock())

    async def end_holds(self):
        await self.shop.end_holds(timedelta(minutes=10))

    async def run(self, actions):
        todo = [self.sign_up] * 5 + [self.buy] * 7 + [self.refund] * 3 + [self.step] * 4
        todo += [self.review] * 3 + [self.erase, self.merge, self.end_holds]

        async def work():
            for _ in range(actions // WORKERS):
                action = self.some(todo)
                for _ in range(20):
                    try:
                        answer = await action()
                    except DBAPIError as error:
                        if "deadlock" not in str(error):
                            raise
                        continue  # a request or a job would be tried again
                    if answer is None or answer.status_code != 503:
                        break
                status = answer.status_code if answer is not None else 200
                assert status in EXPECTED, answer.text
                self.done[f"{action.__name__} {status}"] += 1

        await asyncio.gather(*(work() for _ in range(WORKERS)))


@pytest.fixture
async def shop(app, api):
    """Return a server that reviews, of a service that holds referrals with disposable addresses."""
    settings = app.state.services.settings.model_copy(update={"email_disposable": "hold"})
    with replaced(app, settings=settings):
        yield Shop(api, await make_key(app, (*SCOPES, "referrals:review")))


async def test_whatever_happens_at_once_every_balance_is_explained(shop, app, rows, request, capsys):
    more = request.config.getoption("--fuzz")
    seed = random.randrange(10**6) if more else 7
    soak = Soak(shop, app, seed)
    for terms in (
        {"cap": LIMIT},
        {"beneficiary": "referee", "hold": 1200, "basis_points": 1000},
        {"trigger": "referral_confirmed", "kind": "points", "amount_minor": 10},
    ):
        await shop.rule(**terms)
    pool = await shop.rule(kind="coupon", hold=600)
    path = f"/api/v1/programs/default/reward-rules/{pool['id']}/coupons"
    await shop.call("POST", path, json={"codes": [f"c{n}" for n in range(5)]})
    for _ in range(3):
        await soak.sign_up()

    await soak.run(ACTIONS * (1 + more // 3))

    if more:
        with capsys.disabled():
            print(f"\nseed {seed}: {dict(soak.done)}")  # noqa: T201
    assert await broken_rules(app.state.services.database) == []
    assert [name for name, query in BROKEN.items() if await rows(query)] == []
    for amount, left, paid, refunded, by_hand in await rows(BALANCES):
        kept = round(Fraction(amount * max(paid - int(refunded), 0), paid))
        assert left == kept + int(by_hand)
