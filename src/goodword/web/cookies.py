"""Cookies that browsers send to this service only."""

from urllib.parse import urlsplit

from fastapi import Request, Response


class OwnCookie:
    """A cookie for the host and the path of `public_url`, which scripts cannot read.

    With TLS its name has a prefix that keeps subdomains and clear text from setting it. `__Host-` requires the path
    `/`, so the cookie of an installation below a path is `__Secure-`.
    """

    def __init__(self, name: str, public_url: str) -> None:
        url = urlsplit(public_url)
        self._secure, self._path = url.scheme == "https", url.path or "/"
        prefix = "__Secure-" if url.path else "__Host-"
        self.name = prefix + name if self._secure else name

    def read(self, request: Request) -> str:
        return request.cookies.get(self.name, "")

    def write(self, response: Response, value: str, *, max_age: int) -> None:
        response.set_cookie(
            self.name,
            value,
            max_age,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        self.write(response, "", max_age=0)
