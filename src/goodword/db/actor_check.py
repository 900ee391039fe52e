"""The check of who acts, made by the first statement of a transaction."""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

ACTOR = "actor"
"""Where the state of a request holds who acts: an `Actor`."""
HELD = "held"
"""Where a session's `info` holds the row of the account that the actor has locked."""
_ASKED, _REFUSED = "asked", "refused"


class Actor(Protocol):
    """Who acts in a transaction, however long ago the request was let in."""

    def hold(self, session: Session, connection: Connection) -> None:
        """Lock what lets the actor act until the transaction ends, or raise."""


class CheckedSession(Session):
    """A session whose transaction begins with a check of the actor, if its request has one."""


@event.listens_for(CheckedSession, "after_begin")
def _check(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    asked: Mapping[str, Any] = session.info.pop(_ASKED, {})
    actor: Actor | None = asked.get(ACTOR)
    if actor is None:
        return
    try:
        actor.hold(session, connection)
    except Exception as refused:
        session.info[_REFUSED] = refused
        raise


def let_act(session: AsyncSession, asked: Mapping[str, Any]) -> None:
    """Have the actor checked whom the state of a request names when the transaction begins."""
    session.info[_ASKED] = asked


def raise_refusal(session: AsyncSession) -> None:
    """Raise what the check raised, if it did: also where an endpoint has made a page of the error."""
    refused: Exception | None = session.info.get(_REFUSED)
    if refused is not None:
        raise refused
