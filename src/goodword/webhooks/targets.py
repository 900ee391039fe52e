"""Which addresses may receive webhooks: the form of a URL, and the networks that connections may reach."""

import re
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from urllib.parse import SplitResult, urlsplit

from goodword.config.production_checks import OWN_NETWORK
from goodword.config.settings import Settings
from goodword.errors import Unprocessable
from goodword.ip_address import Address, read_address

MAX_LENGTH = 2000
_CHARACTERS = re.compile(r"[\x21-\x7e]+")
_FORBIDDEN = frozenset('\\<>"{}|^`')
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
"""Networks whose addresses end with an IPv4 address: NAT64 (RFC 6052, RFC 8215) and IPv4-compatible."""
_REFUSED = tuple(
    ip_network(text) for text in ("192.88.99.0/24", "fec0::/10", "2001::/32", "100::/64", "5f00::/16")
)
"""Relays, site-local, Teredo, discard and segment routing, which some versions of Python count as global."""


class UrlInvalid(Unprocessable):
    code, field = "webhook_url_invalid", "body.url"
    detail = "Send an absolute http or https URL in ASCII, without a user name and a fragment."


class UrlLocal(Unprocessable):
    code, field = "webhook_url_local", "body.url"
    detail = "The host must be a public domain name, not an IP address or a name of a local network."


class UrlInsecure(Unprocessable):
    code, field = "webhook_url_insecure", "body.url"
    detail = "In production the URL must be https."


def check_url(url: str, settings: Settings) -> None:
    """Check the form of the URL of an endpoint. Raises `UrlInvalid`, `UrlLocal` and `UrlInsecure`.

    The addresses of the name are checked at each connection: see `is_allowed`.
    """
    parts = _split(url)
    host = (parts.hostname or "").removesuffix(".")
    literal = read_address(host)
    if (literal is None and not _NAME.fullmatch(host)) or len(host) > 253:
        raise UrlInvalid
    is_loopback = host == "localhost" or (literal is not None and literal.is_loopback)
    if is_loopback and settings.loopback_webhooks == "on":
        return
    last = host.rpartition(".")[2]
    # A host whose last label is a number is an IPv4 address in one of many spellings.
    if literal is not None or _NUMBER.fullmatch(last) or "." not in host or f".{host}".endswith(OWN_NETWORK):
        raise UrlLocal
    if parts.scheme == "http" and settings.environment == "production":
        raise UrlInsecure


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlInvalid from None
    is_url = (
        len(url) <= MAX_LENGTH
        and _CHARACTERS.fullmatch(url)
        and not _FORBIDDEN & set(url)
        and parts.scheme in ("http", "https")
        and parts.hostname
        and "@" not in parts.netloc
        and "%" not in parts.netloc
        and "#" not in url
        and port != 0
    )
    if not is_url:
        raise UrlInvalid
    return parts


def may_reach(settings: Settings) -> Callable[[Address], bool]:
    """Return the function that says whether webhooks may be sent to an address."""
    return partial(is_allowed, loopback=settings.loopback_webhooks == "on")


def is_allowed(address: Address, *, loopback: bool) -> bool:
    """Return whether webhooks may be sent to an address: a public one, or a loopback one if `loopback` is true."""
    if loopback and address.is_loopback:
        return True
    if isinstance(address, IPv6Address) and (embedded := _embedded(address)) is not None:
        return is_allowed(embedded, loopback=loopback)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _REFUSED if network.version == address.version)
    )


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which an IPv6 address leads."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(address.packed[12:])
    return None
