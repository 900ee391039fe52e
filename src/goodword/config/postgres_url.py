"""The PostgreSQL servers that GOODWORD_DATABASE_URL names, as SQLAlchemy and asyncpg read it."""

import os
from dataclasses import dataclass
from typing import Any

OPTIONS = ("host", "port", "ssl", "passfile", "target_session_attrs")
"""Query parameters that are accepted. Others, such as `dsn` and `service`, could name an unchecked server."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """`hosts` are names, addresses, and folders of sockets: a connection may go to any of them."""

    hosts: tuple[str, ...]
    database: str | None
    user: str | None
    password: str | None
    is_verified: bool
    """TLS is required, and the certificate must be valid for the name."""


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
