"""Who has something done now, from where, and by which clock: for the audit, without a parameter in every function.

The edge sets it for a request, the worker for a job, the command for an operator. What a request proves of its
sender later on (a token, a cookie, a password, a letter) is added here.
"""

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from goodword.ip_address import read_address


class Actor(StrEnum):
    USER = "user"
    OPERATOR = "operator"
    """Whoever may run the command."""
    SYSTEM = "system"
    """A job."""
    ANONYMOUS = "anonymous"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ActorContext:
    actor: Actor
    actor_id: uuid.UUID | None = None
    client: str | None = None
    """The app that acts for them: `client_id` of OAuth."""
    request_id: str | None = None
    peer: str | None = None
    """As the server gives it; `address` is its proper form."""
    clock: Callable[[], datetime] = _now

    @property
    def address(self) -> str | None:
        """Where the request comes from, as the limits and the sessions see it."""
        found = read_address(self.peer or "")
        return None if found is None else str(found)


actor_context: ContextVar[ActorContext] = ContextVar("origin")


def current_context() -> ActorContext:
    """Of what is done now. What nobody asked for is the program's own doing."""
    return actor_context.get(None) or ActorContext(Actor.SYSTEM)


def mark_authenticated(user_id: uuid.UUID, client: str | None = None) -> None:
    """The request has shown who sends it. An operator, and a job, stay what they are."""
    now = current_context()
    if now.actor is Actor.ANONYMOUS:
        now.actor, now.actor_id = Actor.USER, user_id
        now.client = client or now.client
