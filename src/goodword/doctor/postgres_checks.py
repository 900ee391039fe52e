"""Checks of PostgreSQL, of a pooler before it, and of a replica."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from goodword.db import engines
from goodword.db.database import Database
from goodword.db.database_clock import MAX_DIFFERENCE, MAX_ROUND_TRIP
from goodword.db.error_causes import SLOW, describe
from goodword.db.replica import REPLAYED, WRITTEN
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, error, ok, warning
from goodword.doctor.installation import CONNECTIONS, Installation

SHORTEST_TIMEOUT = 10_000
"""Milliseconds: the service gives up later statements itself."""
MOST_USED = 0.9
REPLICA_SECONDS = 3.0
REPLAY_SECONDS = 1.0


async def _value(installation: Installation, expression: str) -> Any:
    await installation.postgres()
    row = await installation.row(f"SELECT {expression} AS value")
    return row.value if row else None


async def check_encoding(installation: Installation) -> Finding:
    found = await _value(installation, "current_setting('server_encoding')")
    if found != "UTF8":
        return error(f"The encoding of the database is {found}: names in other scripts cannot be stored.")
    return ok("The encoding of the database is UTF-8.")


async def check_collation(installation: Installation) -> Finding:
    is_other = await _value(
        installation,
        "(SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)"
        " FROM pg_database WHERE datname = current_database())",
    )
    if is_other:
        return warning("The collation of the database is of another version of its library.")
    return ok("The collation is of the version of its library.")


async def check_connections(installation: Installation) -> Finding:
    """Compare what one process of the service opens, and what is open, with what the server allows."""
    database = await installation.postgres()
    allowed = await database.allowed_connections()
    size = installation.settings.pool_size
    if size and size > allowed:
        return warning(f"POOL_SIZE is {size}, and the server allows {allowed} connections.")
    used = await _value(installation, "(SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL)")
    if used > allowed * MOST_USED:
        return warning(f"{used} of {allowed} connections of the server are in use.")
    needed = size or engines.pool_size(allowed, 1)
    return ok(f"A process opens up to {needed} of {allowed} connections, of which {used} are in use.")


async def check_timeouts(installation: Installation) -> Finding:
    milliseconds = await _value(
        installation, "(SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout')"
    )
    if 0 < milliseconds < SHORTEST_TIMEOUT:
        return warning(f"statement_timeout of the server is {milliseconds} ms, which ends long statements.")
    return ok("The server lets statements take the time that they need.")


async def check_clock(installation: Installation) -> Finding:
    sent = time.monotonic()
    theirs = await _value(installation, "clock_timestamp()")
    took = time.monotonic() - sent
    if took > MAX_ROUND_TRIP:
        raise NotChecked("the database answers too slowly")
    difference = abs((installation.now() - theirs).total_seconds() - took / 2)
    if difference > MAX_DIFFERENCE + took:
        return warning(f"The clocks of this machine and of the database differ by {difference:.0f} seconds.")
    return ok("The clocks of this machine and of the database agree.")


async def check_pooler(installation: Installation) -> Finding:
    """Compare the process that the connection was opened to with the one that runs a statement."""
    database = await installation.postgres()
    async with database.read_engine.connect() as connection:
        raw = await connection.get_raw_connection()
        opened: Any = raw.driver_connection
        own = (await connection.execute(text("SELECT pg_backend_pid() AS pid"))).one().pid
    is_pooled = opened.get_server_pid() != own
    if is_pooled and installation.settings.pgbouncer == "off":
        return error("A PgBouncer or another pooler is before the database, and PGBOUNCER is off.")
    if not is_pooled and installation.settings.pgbouncer == "on":
        return warning("PGBOUNCER is on, and there is no pooler: statements are prepared again each time.")
    return ok("PGBOUNCER says whether there is a pooler.")


async def check_replica(installation: Installation) -> Finding:
    settings = installation.settings
    if settings.replica is None:
        raise NotUsed("REPLICA_URL is not set")
    primary = await installation.postgres()
    written = await primary.row(WRITTEN)
    replica = Database(settings.replica, pgbouncer=settings.pgbouncer == "on", pool_size=CONNECTIONS)
    try:
        async with asyncio.timeout(REPLICA_SECONDS):
            return await _compare(replica, written.position if written else 0)
    except TimeoutError:
        return warning(f"Of the replica: {SLOW}")
    except (DBAPIError, PoolTimeout, OSError) as failed:
        return warning(f"Of the replica: {describe(failed)}")
    finally:
        await replica.close()


async def _compare(replica: Database, position: int) -> Finding:
    until = time.monotonic() + REPLAY_SECONDS
    while True:
        row = await replica.row(REPLAYED, position=position)
        if row is None or not row.is_replica:
            return warning("REPLICA_URL is not a replica.")
        if row.has_replayed:
            return ok("The replica has what the primary has.")
        if time.monotonic() > until:
            return warning(f"The replica is behind the primary by more than {REPLAY_SECONDS:.0f} second.")
        await asyncio.sleep(0.05)


CHECKS: Sequence[Check] = (
    Check(
        id="database-encoding",
        title="PostgreSQL stores UTF-8",
        remedy="Create the database with `ENCODING 'UTF8' TEMPLATE template0`, and move the data.",
        level=Level.ERROR,
        run=check_encoding,
    ),
    Check(
        id="database-collation",
        title="The collation of PostgreSQL is of the version of its library",
        remedy="`REINDEX DATABASE`, then `ALTER DATABASE … REFRESH COLLATION VERSION`.",
        level=Level.WARNING,
        run=check_collation,
    ),
    Check(
        id="database-connections",
        title="PostgreSQL has enough connections",
        remedy="Raise `max_connections`, lower `GOODWORD_POOL_SIZE`, or run fewer processes. See `docs/scaling.md`.",
        level=Level.WARNING,
        run=check_connections,
    ),
    Check(
        id="database-timeout",
        title="PostgreSQL does not end statements early",
        remedy="Set `statement_timeout` of the role or the database to 0, or to 10 s or more.",
        level=Level.WARNING,
        run=check_timeouts,
    ),
    Check(
        id="database-clock",
        title="The clocks of this machine and of PostgreSQL agree",
        remedy="Run a time service, such as chrony, on both machines.",
        level=Level.WARNING,
        run=check_clock,
    ),
    Check(
        id="pooler",
        title="`GOODWORD_PGBOUNCER` says whether there is a pooler",
        remedy="Set `GOODWORD_PGBOUNCER` to `on` with a pooler, and to `off` without one.",
        level=Level.ERROR,
        run=check_pooler,
    ),
    Check(
        id="replica",
        title="The replica can be used",
        remedy="Start the replica, correct `GOODWORD_REPLICA_URL`, or remove it: reads then go to the primary.",
        level=Level.WARNING,
        run=check_replica,
    ),
)
