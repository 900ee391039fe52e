"""Throttling of sign-ins by the count of wrong passwords for an address, whether it has an account or not.

A failure is counted before the password is hashed, and taken back if the password is right. So concurrent guesses
to any process of any node stay within the limit. A process that dies in between leaves one failure too many.
"""

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from sqlalchemy import Executable, Select, and_, bindparam, case, delete, or_, select, true, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from goodword.actor import current_context
from goodword.crypto import hmac_of
from goodword.db import transaction_hooks
from goodword.errors import TooManyRequests
from goodword.jobs import service as jobs
from goodword.services import Services
from goodword.sessions.models import LoginFailures
from goodword.users import addresses
from goodword.users.passwords import HashingBusy

WINDOW = timedelta(minutes=15)
LONGEST_WAIT = 900
ANYWHERE = ""
FREE_FROM_ONE_NETWORK = 5
FREE_FROM_ANYWHERE = 20
TRIES = 20
"""Attempts to count a failure while other processes change the count."""
NOT_SEEN = -1
LOCKED = "sign_in_locked"
"""The job that reports a lockout: see `lockout_notice`."""


class TooManyAttempts(TooManyRequests):
    code = "too_many_attempts"
    detail = "Too many wrong passwords for this address. Wait, or reset the password."


class OvertakenError(Exception):
    """Another process has changed the count since it was read."""


class Attempt(NamedTuple):
    """An attempt to sign in: the hashed address and the network."""

    address_mac: bytes
    network: str
    email_key: str
    user_id: uuid.UUID | None = None
    """A signed-in user. The job that notifies the user finds others by the address."""

    @property
    def place(self) -> dict[str, Any]:
        return {"address_mac": self.address_mac, "network": self.network}


@dataclass(slots=True)
class Claim:
    """A failure that was counted in advance."""

    attempt: Attempt
    held: ExitStack
    """Releases the lock on the attempt."""
    counts: Mapping[str, int]
    """The counts with this failure, by network. Empty if the throttle is off."""
    before: Mapping[str, datetime]
    """The time of the failure before this one, by network, or of this one if there was none."""
    at: datetime


class LoginThrottle:
    """The counts of failures, in the database, by a keyed hash of the address.

    After 5 failures from one network, or 20 from anywhere, each further one doubles the wait: 1 s to 15 min.
    """

    def __init__(self, key: bytes, *, counted: bool) -> None:
        self._key = key
        self._counted = counted
        self._locks: WeakValueDictionary[tuple[bytes, str | None], asyncio.Lock] = WeakValueDictionary()

    def attempt(self, email: str, network: str | None) -> Attempt:
        key = addresses.key_of(email)
        address_mac = hmac_of(self._key, (key or email.casefold()).encode(errors="replace"))
        return Attempt(address_mac, network or "unknown", key or "")

    def attempt_of(self, user_id: uuid.UUID, network: str | None) -> Attempt:
        """Return the attempt of a user who is signed in and is asked for the password.

        Counted separately, so that failed sign-ins of others do not stop the user from changing the password.
        """
        counted = hmac_of(self._key, b"signed in", user_id.bytes)
        return Attempt(counted, network or "unknown", "", user_id)

    @asynccontextmanager
    async def claimed(self, services: Services, attempt: Attempt) -> AsyncIterator[Claim]:
        """Count a failure for the block, which hashes the password and calls `confirm` or `take_back`.

        Attempts at one address from one network run one after the other in a process, so that concurrent right
        passwords do not count as failures. Raises `TooManyAttempts` while the wait lasts, and `HashingBusy`.
        """
        with ExitStack() as held:
            if self._counted:
                lock = self._locks.setdefault((attempt.address_mac, attempt.network), asyncio.Lock())
                await lock.acquire()
                held.callback(lock.release)
            # Before anything is counted: a refusal must cost less than the hash.
            with services.passwords.reserved():
                claim = Claim(attempt, held, {}, {}, services.clock())
                if self._counted:
                    claim = await self._claim(services, attempt, held)
                try:
                    yield claim
                except HashingBusy:  # no password was tried
                    async with services.database.transaction() as session:
                        for network in claim.counts:
                            await self._subtract(session, claim, network)
                    raise

    async def of(self, session: AsyncSession, attempt: Attempt) -> Sequence[LoginFailures]:
        """Return the counts of all networks."""
        query = select(LoginFailures).where(
            LoginFailures.address_mac == attempt.address_mac, LoginFailures.failures > 0
        )
        return (await session.scalars(query)).all()

    async def forget(self, session: AsyncSession, attempt: Attempt) -> None:
        """Delete the counts of all networks, which lifts the wait."""
        await session.execute(delete(LoginFailures).where(LoginFailures.address_mac == attempt.address_mac))

    def confirm(self, session: AsyncSession, claim: Claim, *, now: datetime) -> None:
        """Keep the failure counted, after a wrong password. Report it if it reaches the limit."""
        for network, count in claim.counts.items():
            if count == _free(network):
                self._report(session, claim.attempt, network, now=now)

    async def take_back(self, session: AsyncSession, claim: Claim) -> None:
        """Delete the failures from this network, and subtract one from anywhere, after a right password.

        The next attempt in this process waits for the end of the transaction.
        """
        if not claim.counts:
            return
        transaction_hooks.run_at_end(session, claim.held.pop_all().close)
        if ANYWHERE not in await session.scalars(_FORGET, claim.attempt.place):
            await self._subtract(session, claim, ANYWHERE)

    async def _claim(self, services: Services, attempt: Attempt, held: ExitStack) -> Claim:
        with suppress(OvertakenError):
            return await self._count(services, attempt, held)
        # Attempts from other networks change the count from anywhere: retry one at a time in a process.
        async with self._locks.setdefault((attempt.address_mac, None), asyncio.Lock()):
            for _ in range(TRIES):
                with suppress(OvertakenError):
                    return await self._count(services, attempt, held)
        raise TooManyAttempts(headers={"Retry-After": "1"})

    async def _count(self, services: Services, attempt: Attempt, held: ExitStack) -> Claim:
        database, now = services.database, services.clock()
        rows = {row.network: row for row in await database.rows(_COUNTS, **attempt.place)}
        until = max((row.last_at + _wait(row.network, row.failures) for row in rows.values()), default=now)
        if until > now:
            raise TooManyAttempts(headers={"Retry-After": str(math.ceil((until - now).total_seconds()))})
        counts: dict[str, int] = {}
        before: dict[str, datetime] = {}
        values: dict[str, Any] = {}
        new: dict[uuid.UUID, bool] = {}
        for n, network in enumerate((ANYWHERE, attempt.network)):
            seen, new_id = rows.get(network), uuid7()
            new[new_id] = seen is None
            counts[network] = _next(seen, now=now)
            before[network] = seen.last_at if seen else now
            row = {
                "id": new_id,
                "address_mac": attempt.address_mac,
                "network": network,
                "failures": counts[network],
                "last_at": now,
                "created_at": now,
                "seen": seen.failures if seen else NOT_SEEN,
                "seen_at": before[network],
            }
            values |= {f"{name}_{n}": value for name, value in row.items()}
        async with database.transaction() as session:
            found = set(await session.scalars(_count_statement(database.is_sqlite), values))
            # A row that was deleted since would be inserted again, with a count that is too high.
            if len(found) < len(new) or any((id_ in found) != is_new for id_, is_new in new.items()):
                raise OvertakenError
        return Claim(attempt, held, counts, before, now)

    async def _subtract(self, session: AsyncSession, claim: Claim, network: str) -> None:
        place = {"of_mac": claim.attempt.address_mac, "of_network": network}
        await session.execute(_SUBTRACT, {**place, "claimed_at": claim.at, "before": claim.before[network]})

    def _report(self, session: AsyncSession, attempt: Attempt, network: str, *, now: datetime) -> None:
        # Also for addresses without an account, so that the time does not show whether there is one.
        asked = current_context()
        payload = {
            "email_key": attempt.email_key,
            "failures": _free(network),
            "where": "anywhere" if network == ANYWHERE else "one network",
            "request_id": asked.request_id,
            "address": asked.address,
        }
        jobs.enqueue(session, LOCKED, payload, now=now, user_id=attempt.user_id)


def _free(network: str) -> int:
    return FREE_FROM_ANYWHERE if network == ANYWHERE else FREE_FROM_ONE_NETWORK


def _wait(network: str, failures: int) -> timedelta:
    over = failures - _free(network)
    return timedelta(seconds=min(2 ** min(over, 10), LONGEST_WAIT)) if over >= 0 else timedelta(0)


def _next(seen: Any, *, now: datetime) -> int:
    """Return the count with one more failure. It starts again after `WINDOW` without failures beyond the wait."""
    if seen is None or now - seen.last_at > WINDOW + _wait(seen.network, seen.failures):
        return 1
    failures: int = seen.failures
    return failures + 1


_TIME = LoginFailures.last_at.type
_PLACES = and_(
    LoginFailures.address_mac == bindparam("address_mac"),
    or_(LoginFailures.network == bindparam("network"), LoginFailures.network == ANYWHERE),
)
_COUNTS = select(LoginFailures.network, LoginFailures.failures, LoginFailures.last_at).where(_PLACES)
_SUBTRACT = (
    update(LoginFailures)
    .where(
        LoginFailures.address_mac == bindparam("of_mac"),
        LoginFailures.network == bindparam("of_network"),
        LoginFailures.failures > 0,
    )
    .values(
        failures=LoginFailures.failures - 1,
        last_at=case(
            (LoginFailures.last_at == bindparam("claimed_at", type_=_TIME), bindparam("before", type_=_TIME)),
            else_=LoginFailures.last_at,
        ),
    )
    .execution_options(synchronize_session=False)
)
_TABLE: Any = LoginFailures.__table__
_FORGET = (
    delete(_TABLE)
    .where(
        # Locked in the order of the claim, to avoid deadlocks.
        _TABLE.c.id.in_(select(_TABLE.c.id).where(_PLACES).order_by(_TABLE.c.network).with_for_update()),
        or_(_TABLE.c.network == bindparam("network"), _TABLE.c.failures <= 1),
    )
    .returning(_TABLE.c.network)
)
"""Deletes the count of the network, and that from anywhere if this claim is all that it has."""


def _row(n: int) -> Select[Any]:
    # With a condition, or SQLite would take the `ON` of `ON CONFLICT` for that of a join.
    return select(*(bindparam(f"{one.key}_{n}", type_=one.type) for one in _TABLE.c)).where(true())


@cache
def _count_statement(is_sqlite: bool) -> Executable:
    """Return the statement that counts one more failure in two rows, if the counts have not changed since they were read."""
    statement: Any = (sqlite if is_sqlite else postgresql).insert(_TABLE)
    # Not `values`, which SQLAlchemy would compile for each request.
    statement = statement.from_select(_TABLE.c.keys(), union_all(*map(_row, (0, 1))))
    unchanged = (
        and_(
            _TABLE.c.network == bindparam(f"network_{n}"),
            _TABLE.c.failures == bindparam(f"seen_{n}", type_=_TABLE.c.failures.type),
            _TABLE.c.last_at == bindparam(f"seen_at_{n}", type_=_TIME),
        )
        for n in (0, 1)
    )
    counted: Executable = statement.on_conflict_do_update(
        index_elements=[_TABLE.c.address_mac, _TABLE.c.network],
        set_={"failures": statement.excluded.failures, "last_at": statement.excluded.last_at},
        where=or_(*unchanged),
    ).returning(_TABLE.c.id)
    return counted
