"""A product whose server rewards what people of accounts bring."""

from typing import Any

from people import Person, join, make_code
from rewards.conftest import Shop


async def friend_of(referrer: Person, name: str = "bob") -> dict[str, Any]:
    """Register a friend, and return who they are in an event."""
    code = await make_code(referrer)
    return {"id": (await join(referrer.api, name, referral_code=code["code"])).id}


async def buy(shop: Shop, who: dict[str, Any], event_id: str = "order-1", **fields: Any) -> dict[str, Any]:
    """Report a purchase, and return its only reward."""
    (reward,) = (await shop.event(event_id, participant=who, **fields))["rewards"]
    return reward
