"""The network of the client."""

from fastapi import Request

from goodword import ip_address


def client_network(request: Request) -> str | None:
    """Return the network of the peer, or None if the server does not know the peer.

    Forwarding headers are not read here: `TrustedProxies` has applied those of trusted proxies.
    """
    return ip_address.describe_network(request.client.host) if request.client else None
