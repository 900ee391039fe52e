"""The mail server that GOODWORD_SMTP_URL names."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

EXAMPLE = (
    "smtp://user:password@host:587 (STARTTLS), smtps://… (TLS from the start) or smtp://host:1025?tls=off"
)
PORTS = {"starttls": 587, "implicit": 465, "off": 25}


@dataclass(frozen=True, slots=True)
class MailServer:
    """`starttls` is required: a server without it gets no message (RFC 8314 §3)."""

    host: str
    port: int
    tls: Literal["starttls", "implicit", "off"]
    user: str | None
    password: str | None


def parse(url: str) -> MailServer:
    """Return the parsed URL. Raises `ValueError`, whose text contains no part of the URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError(f"must be {EXAMPLE}") from None
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path.strip("/") or parts.fragment:
        raise ValueError(f"must be {EXAMPLE}; write @ / : # ? % in a password as %40 %2F %3A %23 %3F %25")
    without_tls = parts.scheme == "smtp" and options == {"tls": "off"}
    if options and not without_tls:
        raise ValueError("takes no option but tls=off, with smtp:// alone")
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    if bool(user) != bool(password):
        raise ValueError("takes a user and a password, or neither")
    if without_tls and password:
        raise ValueError("sends no password without TLS: leave out tls=off, or the password")
    tls: Literal["starttls", "implicit", "off"] = (
        "off" if without_tls else "implicit" if parts.scheme == "smtps" else "starttls"
    )
    return MailServer(host, port or PORTS[tls], tls, user, password)
