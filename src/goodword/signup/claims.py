"""What the request of a new person says about a referrer."""

from fastapi import Request

from goodword import ip_address
from goodword.attribution.service import Claim
from goodword.services import services_of


def claim_of(request: Request, code: str | None, *, with_cookie: bool = True) -> Claim:
    """Return the code, the touch that the browser remembers, and where the request comes from."""
    touch = services_of(request).page_cookies.touch(request) if with_cookie else None
    client = request.client
    return Claim(
        code,
        () if touch is None else (touch,),
        network=ip_address.network(client.host) if client else b"",
        user_agent=request.headers.get("user-agent"),
    )
