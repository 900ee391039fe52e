"""The check of a redirect URI, at registration and in a request."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from goodword.oauth.errors import ClientInvalid

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::(\d{1,5}))?((?:[/?].*)?)", re.ASCII)
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
            f"{uri!r}: https, http to 127.0.0.1, [::1] or localhost, or for a public app a scheme such as com.example.app:/"
        )


def is_registered(uri: str, registered: Sequence[str], *, any_port: bool) -> bool:
    """Return whether a redirect URI is registered, compared as a string (RFC 9700 §4.1.3).

    With `any_port`, the port of a loopback address may vary (RFC 8252 §7.3), and of `localhost`, which many
    libraries use instead (§8.3).
    """
    return uri in registered or (any_port and _is_loopback_of(uri, registered))


def _is_loopback_of(uri: str, registered: Sequence[str]) -> bool:
    shown = _LOOPBACK.fullmatch(uri)
    if shown is None or int(shown[2] or 80) > 65535:
        return False
    known = [_LOOPBACK.fullmatch(one) for one in registered]
    return any(one and (one[1], one[3]) == (shown[1], shown[3]) for one in known)
