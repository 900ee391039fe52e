"""The PostgreSQL servers that GOODWORD_DATABASE_URL names, as SQLAlchemy and asyncpg read it."""

import os
from dataclasses import dataclass
from typing import Any

DRIVER = "postgresql+asyncpg://"
SCHEMES = ("postgresql://", "postgres://")
"""Schemes of libpq, which hosts of databases hand out."""
OPTIONS = ("host", "port", "ssl", "passfile", "target_session_attrs")
"""Query parameters that are accepted. Others, such as `dsn` and `service`, could name an unchecked server."""

LIBPQ_OPTIONS = {
    "sslmode": "give either ssl or sslmode, once",
    "sslrootcert": "set the environment variable PGSSLROOTCERT",
    "sslcert": "set the environment variable PGSSLCERT",
    "sslkey": "set the environment variable PGSSLKEY",
    "pgbouncer": "set GOODWORD_PGBOUNCER=on",
    "hostaddr": "name it host",
    "user": "write it in front of the host",
    "password": "write it in front of the host",
    "dbname": "write it behind the host",
} | dict.fromkeys(
    (
        *("application_name", "channel_binding", "client_encoding", "connect_timeout", "gssencmode"),
        *("keepalives", "keepalives_idle", "options", "pool_timeout", "schema", "service", "sslcompression"),
        *("sslcrl", "sslnegotiation", "sslpassword", "tcp_user_timeout"),
    ),
    "leave it out",
)
"""Options of libpq that asyncpg does not take, and what to do instead. Another word may be a part of a password."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """`hosts` are names, addresses, and folders of sockets: a connection may go to any of them."""

    hosts: tuple[str, ...]
    database: str | None
    user: str | None
    password: str | None
    is_verified: bool
    """TLS is required, and the certificate must be valid for the name."""


def normalise(url: str) -> str:
    """Return the URL for SQLAlchemy and asyncpg, which call libpq's `sslmode` `ssl`."""
    for scheme in SCHEMES:
        if url.startswith(scheme):
            url = DRIVER + url.removeprefix(scheme)
    if not url.startswith(DRIVER) or "sslmode=" not in url:
        return url
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url  # `parse` reports it
    mode = parsed.query.get("sslmode")
    if not isinstance(mode, str) or "ssl" in parsed.query:
        return url
    parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed.render_as_string(hide_password=False)


def parse(url: str) -> PostgresServer:
    """Return the connection parameters. Raises `ValueError`, whose text contains no part of the URL."""
    # Imported here: a start on SQLite and most commands do without them.
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    dialect: Any = PGDialect_asyncpg
    try:
        parsed = make_url(url)
        _, options = dialect().create_connect_args(parsed)
    except (ArgumentError, ValueError, AssertionError):
        raise ValueError("cannot be read: it needs a port for each of several hosts, in numbers") from None
    for name, advice in LIBPQ_OPTIONS.items():
        if name in parsed.query:
            raise ValueError(f"does not take the option {name}: {advice}")
    if not set(parsed.query) <= set(OPTIONS):
        raise ValueError(f"takes no option but {', '.join(OPTIONS)}")
    given = options.get("host") or os.environ.get("PGHOST") or ()  # in the order of asyncpg
    return PostgresServer(
        hosts=tuple(_host(one) for part in _several(given) for one in part.split(",")),
        database=options.get("database"),
        user=options.get("user"),
        password=options.get("password"),
        is_verified=options.get("ssl") == "verify-full",
    )


def _several(value: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _host(text: str) -> str:
    """Return the host of `host:port` or `[IPv6]:port`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
