"""Checks of PUBLIC_URL: its name, its certificate, the proxy before the service, and the answer to a request."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from goodword import ip_address
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, error, note, ok, warning
from goodword.doctor.installation import Installation
from goodword.health import ALIVE

CONNECT_SECONDS = 4.0
SOON = timedelta(days=14)
"""A certificate of Let's Encrypt is renewed 30 days before it expires."""


async def check_address(installation: Installation) -> Finding:
    host = urlsplit(installation.settings.public_url).hostname or ""
    address = ip_address.read_address(host)
    if installation.in_production and (host == "localhost" or (address and address.is_loopback)):
        return warning("PUBLIC_URL is this machine: links in e-mails lead to the machine of their reader.")
    return ok("PUBLIC_URL suits the environment.")


async def check_name(installation: Installation) -> Finding:
    host, port, _ = _place(installation)
    return ok("The name of PUBLIC_URL resolves.") if await _resolves(host, port) else _unknown_name()


def _unknown_name() -> Finding:
    return error("The host name of PUBLIC_URL does not resolve.")


async def check_answer(installation: Installation) -> Finding:
    """Ask for `/livez`, as a client does. A service that is stopped is no fault."""
    host, port, is_tls = _place(installation)
    if not await _resolves(host, port):
        raise NotChecked("the name does not resolve")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            answer = await _ask(installation, host, port, is_tls=is_tls)
    except ssl.SSLError:
        raise NotChecked("the certificate is not valid") from None
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        text = "No service answers at PUBLIC_URL: it is stopped, or out of reach of this machine."
        return warning(text) if installation.in_production else note(text)
    if ALIVE not in answer:
        return error("Another program answers at PUBLIC_URL.")
    return ok("The service answers at PUBLIC_URL.")


async def _ask(installation: Installation, host: str, port: int, *, is_tls: bool) -> bytes:
    path = urlsplit(installation.settings.public_url).path
    reader, writer = await asyncio.open_connection(host, port, ssl=installation.tls if is_tls else None)
    try:
        name = urlsplit(installation.settings.public_url).netloc.rpartition("@")[2]
        writer.write(f"GET {path}/livez HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return await reader.read(16 * 1024) + await reader.read(16 * 1024)
    finally:
        writer.transport.abort()


async def check_certificate(installation: Installation) -> Finding:
    host, port, is_tls = _place(installation)
    if not is_tls:
        raise NotUsed("PUBLIC_URL is not https://")
    if not await _resolves(host, port):
        raise NotChecked("the name does not resolve")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=installation.tls)
    except ssl.SSLCertVerificationError as failed:
        return error(f"The certificate of PUBLIC_URL is not valid: {failed.verify_message}.")
    except ssl.SSLError:
        return error("PUBLIC_URL does not speak TLS.")
    except (OSError, TimeoutError):
        raise NotChecked("no service answers") from None
    certificate: Any = writer.get_extra_info("peercert")
    writer.transport.abort()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    left = ends - datetime.now(UTC)
    text = f"The certificate of PUBLIC_URL is valid for {left.days} days."
    return warning(text) if left < SOON else ok(text)


async def check_proxies(installation: Installation) -> Finding:
    settings = installation.settings
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        return warning(
            "PUBLIC_URL is https://, which a proxy serves, and TRUSTED_PROXIES is empty: all clients have the "
            "address of the proxy, and share its rate limits."
        )
    return ok("TRUSTED_PROXIES suits PUBLIC_URL.")


def _place(installation: Installation) -> tuple[str, int, bool]:
    parts = urlsplit(installation.settings.public_url)
    is_tls = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls


async def _resolves(host: str, port: int) -> bool:
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return True


CHECKS: Sequence[Check] = (
    Check(
        id="public-address",
        title="`GOODWORD_PUBLIC_URL` is the address that users see",
        remedy="Set `GOODWORD_PUBLIC_URL` to the https:// address of the service.",
        level=Level.WARNING,
        run=check_address,
    ),
    Check(
        id="public-name",
        title="The name of `GOODWORD_PUBLIC_URL` resolves",
        remedy="Correct the name, or add its records to the DNS.",
        level=Level.ERROR,
        run=check_name,
    ),
    Check(
        id="public-answer",
        title="The service answers at `GOODWORD_PUBLIC_URL`",
        remedy="Start the service, and let the proxy forward this address to it.",
        level=Level.ERROR,
        run=check_answer,
    ),
    Check(
        id="public-certificate",
        title="The certificate of `GOODWORD_PUBLIC_URL` is valid for two more weeks",
        remedy="Renew the certificate, and see why it was not renewed by itself.",
        level=Level.ERROR,
        run=check_certificate,
    ),
    Check(
        id="trusted-proxies",
        title="The proxy is trusted",
        remedy="Set `GOODWORD_TRUSTED_PROXIES` to the addresses of the proxy, as `127.0.0.1` on the same machine.",
        level=Level.WARNING,
        run=check_proxies,
    ),
)
