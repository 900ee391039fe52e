"""The client address in `X-Forwarded-For`, if trusted proxies sent it."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from goodword.ip_address import Address, read_address


class TrustedProxiesMiddleware:
    """Replaces the address of a trusted proxy with that of the client, from `X-Forwarded-For`.

    Each proxy appends the address of its peer, so the list is read from its end. The first address that is not a
    trusted proxy is the client. The client may have forged the addresses before it.
    """

    def __init__(self, app: ASGIApp, *, trusted: Iterable[str]) -> None:
        self.app = app
        self.networks = [ip_network(one) for one in trusted]
        self.trusts = lru_cache(1024)(self._trusts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["client"]:
            peer = read_address(scope["client"][0])
            if peer is not None and self.trusts(peer):
                lists = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
                client = self._client(peer, b",".join(lists).decode("latin-1"))
                scope = {**scope, "client": (str(client), 0)}
        await self.app(scope, receive, send)

    def _client(self, peer: Address, forwarded: str) -> Address:
        client = peer
        for text in reversed(forwarded.split(",")):
            address = read_address(text)
            if address is None:  # the addresses before an invalid one are not trusted
                break
            client = address
            if not self.trusts(client):
                break
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)
