"""Tests talk to this machine alone."""

import socket
from ipaddress import ip_address
from typing import Any

INTERNET = (socket.AF_INET, socket.AF_INET6)


def refuse_foreign_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise before this process talks to anything but this machine; processes that tests start are not covered."""
    if event in ("socket.connect", "socket.sendto") and arguments[0].family in INTERNET:
        host = str(arguments[1][0]).partition("%")[0]
        if host != "localhost" and not (ip_address(host).is_loopback or ip_address(host).is_unspecified):
            raise RuntimeError(f"Tests may connect to loopback addresses only, not to {host}")
