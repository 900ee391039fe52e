"""The client address in `X-Forwarded-For`, if trusted proxies sent it."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network

from starlette.types import Scope

from goodword.ip_address import Address, read_address


class TrustedProxies:
    """Replaces the address of a trusted proxy with that of the client, from `X-Forwarded-For`.

    Each proxy appends the address of its peer, so the list is read from its end. The first address that is not a
    trusted proxy is the client. The client may have forged the addresses before it.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(one) for one in networks]
        self._trusted_peer = lru_cache(1024)(self._read_peer)

    def set_client(self, scope: Scope) -> None:
        if not self._networks or not scope["client"]:
            return
        peer = self._trusted_peer(scope["client"][0])
        if peer is not None:
            lists = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            client = self._client(peer, b",".join(lists).decode("latin-1"))
            scope["client"] = (str(client), 0)

    def _read_peer(self, host: str) -> Address | None:
        peer = read_address(host)
        return peer if peer is not None and self._trusts(peer) else None

    def _client(self, peer: Address, forwarded: str) -> Address:
        client = peer
        for text in reversed(forwarded.split(",")):
            address = read_address(text)
            if address is None:  # the addresses before an invalid one are not trusted
                break
            client = address
            if not self._trusts(client):
                break
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)
