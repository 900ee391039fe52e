"""The product around the examples of events and rewards."""

from typing import Any

from httpx2 import Response

from asgi import Client

RULES = "/api/v1/programs/default/reward-rules"
RULE = {
    "trigger": "purchase",
    "beneficiary": "referrer",
    "kind": "coupon",
    "amount_minor": 500,
    "approval": "manual",
}


class Shop:
    """A product with a rule whose rewards are approved by hand, and with a referred user, who is `user-42`."""

    def __init__(self, api: Client, key: str) -> None:
        self._api, self.headers, self._sold = api, {"Authorization": f"Bearer {key}"}, 0

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer: Response = await self._api.request(method, path, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def open(self) -> str:
        """Create the people and the rule, and return its id."""
        code = await self.call("PUT", "/api/v1/participants/user-41", {})
        if not code["code"]:
            code["code"] = await self.call("POST", "/api/v1/participants/user-41/codes", {"lifetime": 3600})
        joined = {"referral_code": code["code"]["code"]}
        await self.call("PUT", "/api/v1/participants/user-42", joined)
        rule_id: str = (await self.call("POST", RULES, RULE))["id"]
        codes = [f"SPRING-{number}" for number in range(20)]
        await self.call("POST", f"{RULES}/{rule_id}/coupons", {"codes": codes})
        return rule_id

    async def sell(self, occurred_at: str, *, approved: bool) -> str:
        """Report a purchase, and return the id of its reward."""
        self._sold += 1
        event = await self.call(
            "POST",
            "/api/v1/events",
            {
                "id": f"sold-{self._sold}",
                "type": "purchase",
                "participant": {"external_id": "user-42"},
                "occurred_at": occurred_at,
            },
        )
        assert event["rewards"], event
        reward_id: str = event["rewards"][0]["id"]
        if approved:
            await self.call("POST", f"/api/v1/rewards/{reward_id}/approve")
        return reward_id
