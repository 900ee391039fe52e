"""Publish domain events to their handlers, which run in the same transaction."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.domain_events.events import DomainEvent

if TYPE_CHECKING:
    from goodword.services import Services

Handler = Callable[[AsyncSession, "Services", Any], Awaitable[None]]
"""Handles an event of the type for which `handlers` registers it. An error rolls the transaction back."""


async def publish(session: AsyncSession, services: "Services", event: DomainEvent) -> None:
    """Call the handlers of an event, in the order in which `handlers` registers them."""
    for handler in services.domain_events.get(type(event), ()):
        await handler(session, services, event)
