"""Parse IP addresses, and reduce them to the network that is counted or remembered."""

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)


def read_address(text: str) -> Address | None:
    """Return an address, given with or without a port, or None. An IPv4-mapped IPv6 address is an IPv4 address."""
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def network(host: str) -> str | None:
    """Return the network of an address: the /24 of IPv4 or the /64 of IPv6, usually one household or company."""
    address = read_address(host)
    if address is None:
        return None
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))
