"""Parse IP addresses, and reduce them to the network that is counted or remembered."""

import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

Address = IPv4Address | IPv6Address

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)
_MAPPED = bytes(10) + b"\xff\xff"


def read_address(text: str) -> Address | None:
    """Return an address, given with or without a port, or None. An IPv4-mapped IPv6 address is an IPv4 address."""
    text = text.strip()
    with suppress(OSError, ValueError):
        return IPv4Address(inet_pton(AF_INET, text))  # the usual case: faster than `ip_address`
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def network(host: str, ipv4_bytes: int = 4) -> bytes:
    """Return the first `ipv4_bytes` bytes of an IPv4 address, or the /64 of an IPv6 address, usually one household.

    Return no bytes for other text. Runs for every request.
    """
    try:
        if ":" not in host:
            return inet_pton(AF_INET, host)[:ipv4_bytes]
        address = inet_pton(AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return b""
    return address[12 : 12 + ipv4_bytes] if address.startswith(_MAPPED) else address[:8]


def is_within(found: bytes, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Return whether the result of `network` lies in one of some networks, or contains one: a single IPv6 address."""
    if len(found) == 4:
        address = IPv4Address(found)
        return any(address in one for one in networks if isinstance(one, IPv4Network))
    household = IPv6Network((found + bytes(8), 64))
    return any(household.overlaps(one) for one in networks if isinstance(one, IPv6Network))


def describe_network(host: str) -> str | None:
    """Return the network to show and to remember: the /24 of an IPv4 address, or the /64 of an IPv6 address."""
    found = network(host, ipv4_bytes=3)
    if len(found) == 3:
        return f"{inet_ntop(AF_INET, found + bytes(1))}/24"
    return f"{inet_ntop(AF_INET6, found + bytes(8))}/64" if found else None
