"""Wrong passwords are counted by address, known or not, and make the next try wait. Nobody sleeps for it."""

import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.crypto import mac
from goodword.db import Database, insert_if_absent
from goodword.errors import TooManyRequests
from goodword.jobs import service as jobs
from goodword.origin import origin
from goodword.sessions.models import SignInFailures
from goodword.users import addresses

KEY = "sign-in failures"
"""The name of the key that addresses are hashed with."""
WINDOW = timedelta(minutes=15)
LONGEST_WAIT = 900
ANYWHERE = ""
FREE_FROM_ONE_NETWORK = 5
FREE_FROM_ANYWHERE = 20
LOCKED = "sign_in_locked"
"""The job that tells the person, if there is one, and the audit: see `locks`."""


class TooManyAttempts(TooManyRequests):
    code, detail = (
        "too_many_attempts",
        "Too many wrong passwords for this address. Wait, or reset the password.",
    )


class Attempt(NamedTuple):
    """Whose password is tried, from which network."""

    address_mac: bytes
    network: str
    whose: Mapping[str, str]
    """For the job that finds out whom to tell: an address, or the id of somebody who is signed in."""

    @property
    def place(self) -> dict[str, Any]:
        return {"address_mac": self.address_mac, "network": self.network}


class Failures:
    """The counts stand in the database, so all nodes share them, under a keyed hash of the address.

    After 5 failures from one network, or 20 from anywhere, each further one doubles the wait: 1 s to 15 min.
    """

    def __init__(self, key: bytes, *, counted: bool) -> None:
        self._key = key
        self._counted = counted

    def attempt(self, email: str, network: str | None) -> Attempt:
        key = addresses.key_of(email)
        address_mac = mac(self._key, (key or email.casefold()).encode(errors="replace"))
        return Attempt(address_mac, network or "unknown", {"email_key": key or ""})

    def attempt_of(self, user_id: uuid.UUID, network: str | None) -> Attempt:
        """Of somebody who is signed in and is asked for their password.

        Counted apart from the sign-ins: a stranger who fails there must not keep them from changing it.
        """
        counted = mac(self._key, b"signed in", user_id.bytes)
        return Attempt(counted, network or "unknown", {"user_id": str(user_id)})

    async def check(self, database: Database, attempt: Attempt, *, now: datetime) -> bool:
        """Whether there is a count. Raises `TooManyAttempts` while the wait lasts, for right and wrong alike."""
        if not self._counted:
            return False
        rows = await database.rows(_COUNTS, **attempt.place)
        until = max((row.last_at + _wait(row.network, row.failures) for row in rows), default=now)
        if until > now:
            raise TooManyAttempts(headers={"Retry-After": str(math.ceil((until - now).total_seconds()))})
        return bool(rows)

    async def of(self, session: AsyncSession, attempt: Attempt) -> Sequence[SignInFailures]:
        """All counts, from wherever."""
        query = select(SignInFailures).where(SignInFailures.address_mac == attempt.address_mac)
        return (await session.scalars(query)).all()

    async def note(self, session: AsyncSession, attempt: Attempt, *, now: datetime) -> None:
        """Count one more. An old count is forgotten after a quiet quarter of an hour beyond its wait."""
        if not self._counted:
            return
        for network in (attempt.network, ANYWHERE):
            place = {"address_mac": attempt.address_mac, "network": network}
            await insert_if_absent(session, SignInFailures, **place, failures=0, last_at=now, created_at=now)
            count = await session.scalar(select(SignInFailures).filter_by(**place).with_for_update())
            assert count is not None, "it was just made, or there before"
            quiet = now - count.last_at > WINDOW + _wait(network, count.failures)
            count.failures = 1 if quiet else count.failures + 1
            count.last_at = now
            await session.flush()
            if count.failures == _free(network):
                self._tell(session, attempt, network, now=now)

    def _tell(self, session: AsyncSession, attempt: Attempt, network: str, *, now: datetime) -> None:
        # Once for each lock, and alike for addresses that nobody here has: who fails must not learn, by the time
        # it takes, whether there is anybody to be told.
        asked = origin()
        payload = {
            **attempt.whose,
            "failures": _free(network),
            "where": "anywhere" if network == ANYWHERE else "one network",
            "request_id": asked.request_id,
            "address": asked.address,
        }
        jobs.enqueue(session, LOCKED, payload, now=now)

    async def forget(self, session: AsyncSession, attempt: Attempt) -> None:
        """The right password came from this network: its count begins anew. That of all the others stays."""
        await session.execute(delete(SignInFailures).filter_by(**attempt.place))


def _free(network: str) -> int:
    return FREE_FROM_ANYWHERE if network == ANYWHERE else FREE_FROM_ONE_NETWORK


def _wait(network: str, failures: int) -> timedelta:
    over = failures - _free(network)
    return timedelta(seconds=min(2 ** min(over, 10), LONGEST_WAIT)) if over >= 0 else timedelta(0)


_COUNTS = select(SignInFailures.network, SignInFailures.failures, SignInFailures.last_at).where(
    SignInFailures.address_mac == bindparam("address_mac"),
    or_(SignInFailures.network == bindparam("network"), SignInFailures.network == ANYWHERE),
)
