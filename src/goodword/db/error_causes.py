"""Why the database cannot be used, in words for its operator."""

import socket
import ssl
from collections.abc import Mapping

import asyncpg
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

NO_ANSWER = (
    "The database cannot be reached: no PostgreSQL server answers at the address of GOODWORD_DATABASE_URL."
)
HOST_UNKNOWN = "The database cannot be reached: the host name of GOODWORD_DATABASE_URL cannot be resolved."
NO_ROLE = "No server in GOODWORD_DATABASE_URL has the role that its target_session_attrs requires."
NO_CONNECTION = "PostgreSQL has no free connection: raise its max_connections, lower GOODWORD_POOL_SIZE, or run fewer processes."
POOL_EXHAUSTED = (
    "All connections of this process were in use: the database is slow, or GOODWORD_POOL_SIZE too small."
)
LOCKED = "Another transaction held a lock for too long."
SLOW = "The database did not answer in time."
CONFLICT = "Transactions were rolled back for one another, also when repeated."
STARTING = "PostgreSQL is starting up or shutting down."
POOLER_WAITS = "PgBouncer cannot reach PostgreSQL."
AWAY = frozenset({NO_ANSWER, SLOW, HOST_UNKNOWN, NO_ROLE, NO_CONNECTION, STARTING, POOLER_WAITS})
"""Causes that may end without the operator."""
DISK_FULL = "The disk of the database is full."
MOVED = (
    "The database file was deleted or replaced: stop the service, and put the file or a backup in its place."
)
READ_ONLY = "The database is read-only."
NOT_CURRENT = "The database schema is not current. Run `goodword migrate`, or `serve --migrate`."
PGBOUNCER = "A PgBouncer is in front of the database: set GOODWORD_PGBOUNCER=on, and migrate past it."

PGBOUNCER_ERROR = "08P01"
"""All errors of PgBouncer itself."""
SQLSTATES: Mapping[str, str] = {
    "08003": NO_ANSWER,
    "08006": NO_ANSWER,
    PGBOUNCER_ERROR: PGBOUNCER,  # "unsupported startup parameter"
    "25006": READ_ONLY,
    "26000": PGBOUNCER,  # prepared statements of another client
    "28000": "PostgreSQL does not admit this user from this machine, or not without TLS: see its pg_hba.conf.",
    "28P01": "PostgreSQL refuses the user and password of GOODWORD_DATABASE_URL.",
    "3D000": "The server has no database of the name in GOODWORD_DATABASE_URL: create it with `createdb`.",
    "42703": NOT_CURRENT,  # no such column
    "42P01": NOT_CURRENT,  # no such table, as during a restore
    "42P05": PGBOUNCER,
    "53100": DISK_FULL,
    "40001": CONFLICT,
    "40P01": CONFLICT,
    "53300": NO_CONNECTION,
    "55P03": LOCKED,
    "57P01": STARTING,
    "57P03": STARTING,
}
SQLITE_ERRORS: Mapping[str, str] = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_CANTOPEN": "The database file cannot be opened: check its folder and the permissions.",
    "SQLITE_CORRUPT": "The database file is damaged: restore a backup.",
    "SQLITE_FULL": DISK_FULL,
    "SQLITE_IOERR": "The disk of the database does not work.",
    "SQLITE_NOTADB": "The database file is not a SQLite database.",
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_READONLY_DBMOVED": MOVED,
}
"""By the extended error code, or by the primary one with which it begins."""


def explain(error: BaseException) -> str | None:
    """Return the cause of an error of the database and what to do about it, or None if it is of another kind."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if sqlstate := getattr(cause, "sqlstate", None):
        if sqlstate == PGBOUNCER_ERROR and "startup parameter" not in str(cause):
            return POOLER_WAITS
        return SQLSTATES.get(sqlstate)
    if name := getattr(cause, "sqlite_errorname", None):
        return SQLITE_ERRORS.get(name) or SQLITE_ERRORS.get("_".join(name.split("_")[:2]))
    if isinstance(cause.__cause__, asyncpg.ClientConfigurationError):  # a file of certificates, or an option
        reason = str(cause).partition("\n")[0]
        return f"GOODWORD_DATABASE_URL cannot be used: {reason}."
    driver_error = cause.__cause__ or cause
    if isinstance(driver_error, asyncpg.TargetServerAttributeNotMatched):
        return NO_ROLE
    if isinstance(driver_error, asyncpg.InternalClientError):  # closed in the middle of a message
        return NO_ANSWER
    if isinstance(cause, socket.gaierror):
        return HOST_UNKNOWN
    if isinstance(cause, ssl.SSLError):
        return "The certificate of the PostgreSQL server is not valid for its name, or TLS fails otherwise."
    if isinstance(cause, ConnectionError) and "SSL" in str(cause):
        return "The PostgreSQL server does not offer TLS, which GOODWORD_DATABASE_URL requires."
    if isinstance(cause, PoolTimeout):
        return POOL_EXHAUSTED
    if isinstance(cause, TimeoutError):
        return SLOW
    return NO_ANSWER if isinstance(cause, OSError) else None


def describe(error: BaseException) -> str:
    """Return the cause of an error of the database for a log, or its type."""
    return explain(error) or type(error).__name__
