"""The Redis or Valkey server that GOODWORD_REDIS_URL names, or the Sentinels that know which server it is."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

FORMS = (
    "must be redis:// or rediss:// with a host, unix:// with a path, or redis+sentinel:// or rediss+sentinel:// "
    "with hosts and the name of a group (redis+sentinel://:password@host:26379,host2:26379/mymaster/0), "
    "without options but sentinel_password"
)
SENTINEL_PORT = 26379
_SENTINELS = re.compile(
    r"redis(?P<tls>s?)\+sentinel://"
    r"(?:(?P<user>[^:@/?#]*):(?P<password>[^@/?#]+)@)?(?P<places>[^@/?#]+)"
    r"/(?P<group>[^/?#]+)(?:/(?P<database>\d{1,5}))?(?:\?sentinel_password=(?P<sentinel_password>[^&#]+))?"
)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Servers that know the primary of a group of servers. The user and the password are those of the group."""

    places: tuple[tuple[str, int], ...]
    group: str
    database: int
    user: str | None
    password: str | None
    sentinel_password: str | None


@dataclass(frozen=True, slots=True)
class RedisServer:
    hosts: tuple[str, ...]
    """Of the server or of its Sentinels; none for a socket."""
    uses_tls: bool
    sentinels: Sentinels | None = None


def parse(url: str) -> RedisServer:
    """Return the parsed URL. Raises `ValueError`, whose text contains no part of the URL."""
    try:
        found = _SENTINELS.fullmatch(url)
        if found:
            return _by_sentinels(found)
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(FORMS) from None
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in ("redis", "rediss", "unix") or not place or parts.query:
        raise ValueError(FORMS)
    return RedisServer((parts.hostname,) if parts.hostname else (), parts.scheme == "rediss")


def _by_sentinels(found: re.Match[str]) -> RedisServer:
    places = []
    for text in found["places"].split(","):
        place = urlsplit(f"//{text}")
        if not place.hostname:
            raise ValueError
        places.append((place.hostname, place.port or SENTINEL_PORT))
    user, password, sentinel_password = (
        unquote(text) if text else None for text in found.group("user", "password", "sentinel_password")
    )
    sentinels = Sentinels(
        tuple(places), unquote(found["group"]), int(found["database"] or 0), user, password, sentinel_password
    )
    return RedisServer(tuple(host for host, _ in places), bool(found["tls"]), sentinels)
