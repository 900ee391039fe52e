"""Coarse information about a client, by which users recognise their sessions."""

from fastapi import Request

from goodword import ip_address
from goodword.services import services_of
from goodword.sessions.seen_clients import ClientHashes
from goodword.sessions.service import ClientInfo
from goodword.web.client_address import client_network

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def client_info_of(request: Request) -> ClientInfo:
    return ClientInfo(device(request.headers.get("user-agent")), client_network(request))


def client_hashes_of(request: Request) -> ClientHashes:
    """Return the keyed hashes of the network and the user agent of a request."""
    network = ip_address.network(request.client.host) if request.client else b""
    return services_of(request).touches.hashes(network, request.headers.get("user-agent"))


def device(user_agent: str | None) -> str | None:
    """Return `Firefox on Linux`, or for other programs the name before the version."""
    if not user_agent:
        return None
    browser = next((name for mark, name in BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    name = user_agent.partition("/")[0].strip()[:32]
    return name if name.isascii() and name.isprintable() and name else None
