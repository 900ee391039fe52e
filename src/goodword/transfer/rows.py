"""What the steps of an import share: references to users, outcomes, and inserts of many rows."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.base import Base
from goodword.db.statements import insert_absent, one_of, with_defaults
from goodword.transfer.fields import Refusal
from goodword.users import addresses
from goodword.users.models import User


class Done(StrEnum):
    CREATED = "created"
    UNCHANGED = "unchanged"


class Deferred(NamedTuple):
    """What the record refers to may follow later in the file. Otherwise it is refused for this reason."""

    refusal: Refusal


Outcome = Done | Deferred | Refusal


class Raced(Exception):
    """A concurrent transaction has inserted the same row. Run the batch again."""


class Users:
    """The users that references of a batch may mean, locked against erasure until the transaction ends."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._by: dict[str, dict[Any, Any]] = {"id": {}, "external_id": {}, "email": {}}
        for row in rows:
            self._by["id"][row.id] = row
            self._by["external_id"][row.external_id] = row
            self._by["email"][row.email_key] = row

    def find(self, reference: Mapping[str, str]) -> Any:
        """Return the user. A text that several users match means none of them."""
        found = {row.id: row for kind, value in meanings(reference) if (row := self._by[kind].get(value))}
        return next(iter(found.values())) if len(found) == 1 else None


def meanings(reference: Mapping[str, str]) -> Sequence[tuple[str, Any]]:
    """Return the columns and values that a reference may mean."""
    ((kind, value),) = reference.items()
    return _meanings(kind, value)


@lru_cache(8192)  # each is asked for several times
def _meanings(kind: str, value: str) -> Sequence[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("external_id", value)] if kind in ("any", "external_id") else []
    if kind in ("any", "id"):
        with suppress(ValueError):
            found.append(("id", uuid.UUID(value)))
    if kind == "email" or (kind == "any" and "@" in value):
        found.append(("email", addresses.key_of(value) or ""))
    return found


async def load_users(
    session: AsyncSession,
    references: Iterable[Mapping[str, str]],
    ids: Iterable[uuid.UUID] = (),
    *,
    lock: bool,
) -> Users:
    """Return the users that the references may mean, and those with these ids.

    They are locked in the order of their ids, so that concurrent imports do not deadlock.
    """
    wanted: dict[str, set[Any]] = {"id": set(ids), "external_id": set(), "email": set()}
    for reference in references:
        for kind, value in meanings(reference):
            wanted[kind].add(value)
    columns = {"id": User.id, "external_id": User.external_id, "email": User.email_key}
    found = wanted.pop("id")
    for kind, values in wanted.items():
        if values:
            condition = one_of(session, columns[kind], values)
            found.update(await session.scalars(select(User.id).where(condition)))
    query = select(User.id, User.external_id, User.email_key, User.status).where(
        one_of(session, User.id, found)
    )
    query = query.order_by(User.id)
    return Users((await session.execute(query.with_for_update(key_share=True) if lock else query)).all())


async def insert_all(session: AsyncSession, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows. Raises `Raced` if a unique constraint forbids one."""
    if rows and await insert_absent(session, model, [with_defaults(model, row) for row in rows]) < len(rows):
        raise Raced
