"""Whose word is taken for a client's address: that of trusted proxies, and no further than they vouch for it."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from goodword.ip_address import Address, read_address


class TrustedProxiesMiddleware:
    """Puts the client's address in the place of the proxy's, from `X-Forwarded-For`.

    Every proxy appends whom it talked to. So the list is read from its end, as long as it was a trusted one who
    wrote: the first address that is not a proxy's is the client. What stands before it anybody may have sent.
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
            said = read_address(text)
            if said is None:  # nothing, or nonsense: nobody vouches for what stands before it
                break
            client = said
            if not self.trusts(client):
                break
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.networks)
