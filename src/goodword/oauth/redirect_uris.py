"""The check of a redirect URI at registration."""

import re
from urllib.parse import urlsplit

from goodword.oauth.errors import ClientInvalid

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
_PLAIN = re.compile(r"[!-~]{1,2000}")


def check_redirect_uri(uri: str, *, public: bool) -> None:
    """Raise `ClientInvalid` unless responses can be sent there safely (RFC 9700 §2.1, RFC 8252 §7)."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ClientInvalid(f"{uri!r} is not a URI.") from None
    if not _PLAIN.fullmatch(uri) or "\\" in uri or "#" in uri or "@" in parts.netloc:
        raise ClientInvalid(
            f"{uri!r}: no blanks, backslash, fragment or user name; 2,000 characters at most."
        )
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ClientInvalid(f"{uri!r}: no . and .. in the path.")
    on_this_machine = parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")
    on_the_web = parts.scheme == "https" and bool(host)
    in_an_app = public and not host and bool(_PRIVATE_SCHEME.fullmatch(parts.scheme)) and bool(parts.path)
    if not (on_this_machine or on_the_web or in_an_app):
        raise ClientInvalid(
            f"{uri!r}: https, http to 127.0.0.1 or [::1], or for a public app a scheme such as com.example.app:/"
        )
