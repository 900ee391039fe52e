"""Checks of the settings that production requires."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from goodword.config.postgres_url import PostgresServer
    from goodword.config.settings import Settings

EXAMPLES = re.compile(r"change.?(me|this)|example|secret.?key|your.?secret|insecure|password|x{8}|0123456789")
"""Placeholders of secrets in instructions."""
GUESSED = frozenset({"postgres", "password", "changeme", "admin", "root", "secret", "example"})
OWN_ADDRESSES = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, RFC 4193 and link-local. `is_private` of the library has addresses of documentation and others in it."""
LABEL = re.compile(r"[a-z0-9_-]*")
"""A name without a domain, as in Compose; or none."""
OWN_NETWORK = (".local", ".lan", ".internal", ".home.arpa", ".localhost")
NEEDS_TLS = "must have ?ssl=verify-full for a server outside your own network"
METRICS_TOKEN_LENGTH = 16
WIDEST = {4: 8, 6: 16}
"""The shortest prefix of a network of proxies that is not private: no operator of a CDN has a larger one."""


def weaknesses(settings: Settings) -> Iterator[str]:
    """Yield the reasons why the settings are too weak: each names its setting, without the value."""
    yield from _weak_secrets(settings)
    yield from _open_doors(settings)
    yield from _clear_text(settings)


def _weak_secrets(settings: Settings) -> Iterator[str]:
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    if secret is None and not settings.embedded:
        yield "SECRET_KEY is not set: any text of 32 or more characters, made by chance"
    elif secret is not None and len(set(secret)) < 8:
        yield "SECRET_KEY is too regular for production: it can be guessed"
    elif secret is not None and EXAMPLES.search(secret.lower()):
        yield "SECRET_KEY looks like that of an example: make one by chance, as with `openssl rand -hex 32`"
    database = settings.database_server
    if (
        database
        and database.password
        and database.password.lower() in GUESSED | {(database.user or "").lower()}
    ):
        yield "DATABASE_URL has a password that is tried first"
    token = settings.metrics_token
    if token and len(token.get_secret_value()) < METRICS_TOKEN_LENGTH:
        yield f"METRICS_TOKEN must have {METRICS_TOKEN_LENGTH} characters or more in production"
    if settings.password_hash == "fast_for_tests":  # noqa: S105  a cost
        yield "PASSWORD_HASH=fast_for_tests is not for production: stolen hashes would be no hindrance"


def _open_doors(settings: Settings) -> Iterator[str]:
    if settings.rate_limits == "off":
        yield "RATE_LIMITS=off is not for production: passwords could be tried without end"
    if settings.loopback_webhooks == "on":
        yield "LOOPBACK_WEBHOOKS=on is not for production: apps could reach services of this machine"
    if "*" in settings.allowed_hosts:
        yield "ALLOWED_HOSTS=* is not for production: name the hosts"
    networks = [ipaddress.ip_network(one) for one in settings.trusted_proxies]
    if any(not one.is_private and one.prefixlen < WIDEST[one.version] for one in networks):
        yield "TRUSTED_PROXIES holds half the world: anybody could claim any address"


def _clear_text(settings: Settings) -> Iterator[str]:
    if settings.smtp_url and "public_url" not in settings.model_fields_set:
        yield "PUBLIC_URL is not set: the links in e-mails would lead to the recipient's own machine"
    if leaves_in_clear(settings.public_url):
        yield "PUBLIC_URL must be https:// in production, unless it is on this machine or your own network"
    for name, origins in (("CORS_ORIGINS", settings.cors_origins), ("EMBED_ORIGINS", settings.embed_origins)):
        if any(map(leaves_in_clear, origins)):
            yield f"{name} must be https:// in production: anybody on the way could put scripts into such a site"
    if settings.oidc_issuer and not settings.oidc_issuer.startswith("https://"):
        yield "OIDC_ISSUER must be https:// in production"
    server = settings.mail_server
    if server and server.tls == "off" and not _is_near(server.host):
        yield "SMTP_URL may be without TLS only for a server on this machine or your own network"
    database = settings.database_server
    if database and not is_safe_database(database):
        yield f"DATABASE_URL {NEEDS_TLS}"
    redis = settings.redis_server
    if redis and not redis.uses_tls and not all(map(_is_near, redis.hosts)):
        yield "REDIS_URL must be rediss:// or rediss+sentinel:// for a server outside your own network"
    for name, key, url in (
        ("HUNTER_URL", settings.hunter_api_key, settings.hunter_url),
        ("CLEARBIT_URL", settings.clearbit_api_key, settings.clearbit_url),
    ):
        if key and leaves_in_clear(url):
            yield f"{name} must be https:// in production: the key would be sent in the clear"


def is_safe_database(server: PostgresServer) -> bool:
    """Return whether the connection has verified TLS, or stays on the operator's own network."""
    return server.is_verified or all(map(_is_near_server, server.hosts))


def leaves_in_clear(url: str) -> bool:
    """Return whether requests to this URL are readable on their way: by http, and not on the operator's own network."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_near(parts.hostname or "")


def _is_near_server(host: str) -> bool:
    return host.startswith("/") or _is_near(host)  # a folder of sockets


def _is_near(host: str) -> bool:
    """Return whether a host is this machine or in a network of the operator's own, as far as its name says."""
    host = unquote(host).lower()  # as clients of Redis and browsers do
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified or any(address in one for one in OWN_ADDRESSES)
    return bool(LABEL.fullmatch(host)) or host.endswith(OWN_NETWORK)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # Resolvers take 127.1, 0x7f000001 and 2130706433 for addresses too.
            return IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
