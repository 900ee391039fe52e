"""The actor of the current request, job or command, for the audit log: a context variable.

`RequestMiddleware` sets it for a request, the worker for a job, the command line for an operator.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from goodword.clock import utc_now
from goodword.ip_address import read_address


class Actor(StrEnum):
    USER = "user"
    SERVER = "server"
    """A server of a product, with an API key or the access token of an app itself."""
    OPERATOR = "operator"
    """The `goodword` command."""
    SYSTEM = "system"
    """A job."""
    ANONYMOUS = "anonymous"


@dataclass(slots=True)
class ActorContext:
    actor: Actor
    actor_id: uuid.UUID | None = None
    client: str | None = None
    """The `client_id` of the OAuth client that acts, or the name of the API key."""
    request_id: str | None = None
    peer: str | None = None
    """The address of the client, as the server reports it."""
    clock: Callable[[], datetime] = utc_now

    @property
    def address(self) -> str | None:
        """Return the normalised `peer`, or None."""
        found = read_address(self.peer or "")
        return None if found is None else str(found)


actor_context: ContextVar[ActorContext] = ContextVar("actor_context")


def current_context() -> ActorContext:
    """Return the current context. Without one, the system is the actor."""
    return actor_context.get(None) or ActorContext(Actor.SYSTEM)


@contextmanager
def acting_as(context: ActorContext) -> Iterator[None]:
    """Set the context for the block."""
    token = actor_context.set(context)
    try:
        yield
    finally:
        actor_context.reset(token)


def mark_authenticated(user_id: uuid.UUID, client: str | None = None) -> None:
    """Make the user the actor of a request that has proved to be theirs. Jobs and commands keep their actor."""
    context = current_context()
    if context.actor is Actor.ANONYMOUS:
        context.actor, context.actor_id = Actor.USER, user_id
        context.client = client or context.client


def mark_server(server_id: uuid.UUID, name: str) -> None:
    """Make a server the actor of a request that has proved to be its own. `name`: of the API key or OAuth client."""
    context = current_context()
    if context.actor is Actor.ANONYMOUS:
        context.actor, context.actor_id, context.client = Actor.SERVER, server_id, name
