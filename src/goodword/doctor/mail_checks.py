"""Checks of the mail server, up to the sender. No message is sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.utils import parseaddr
from functools import partial

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from goodword.config.smtp_url import MailServer
from goodword.doctor.findings import Check, Finding, Level, NotChecked, NotUsed, error, note, ok, warning
from goodword.doctor.installation import Installation
from goodword.mail.messages import mail_host

SECONDS = 5.0
REFUSED = (SMTPException, OSError, ssl.SSLError, TimeoutError)


async def check_configured(installation: Installation) -> Finding:
    if installation.settings.mail_server:
        return ok("A mail server is set.")
    text = "SMTP_URL is not set: e-mails are saved as files, and do not reach their recipients."
    return warning(text) if installation.in_production else note(text)


@asynccontextmanager
async def _connected(installation: Installation, *, tls: bool, login: bool) -> AsyncIterator[SMTP]:
    """Yield a connection to the mail server within `SECONDS`."""
    server = installation.settings.mail_server
    if server is None:
        raise NotUsed("SMTP_URL is not set")
    client = _client(installation, server, tls=tls)
    try:
        async with asyncio.timeout(SECONDS):
            await client.connect()
            if login and server.user and server.password:
                await client.login(server.user, server.password)
            yield client
    finally:
        client.close()


def _client(installation: Installation, server: MailServer, *, tls: bool) -> SMTP:
    create = partial(
        SMTP,
        hostname=server.host,
        port=server.port,
        local_hostname=mail_host(installation.settings.public_url),
        timeout=SECONDS,
    )
    if not tls or server.tls == "off":
        return create(use_tls=False, start_tls=False)
    return create(
        use_tls=server.tls == "implicit", start_tls=server.tls == "starttls", tls_context=installation.tls
    )


async def check_reachable(installation: Installation) -> Finding:
    server = installation.settings.mail_server
    if server is None:
        raise NotUsed("SMTP_URL is not set")
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(server.host, server.port)
    except (OSError, TimeoutError):
        return error("The mail server does not answer.")
    writer.transport.abort()
    return ok("The mail server answers.")


async def check_tls(installation: Installation) -> Finding:
    server = installation.settings.mail_server
    if server and server.tls == "off":
        raise NotUsed("SMTP_URL has tls=off")
    try:
        async with _connected(installation, tls=True, login=False):
            return ok("The mail server speaks TLS.")
    except ssl.SSLError:
        return error("The certificate of the mail server is not valid for its name.")
    except ConnectionRefusedError:
        raise NotChecked("the mail server does not answer") from None
    except SMTPException as failed:
        if isinstance(failed.__cause__, ssl.SSLError):
            return error("The certificate of the mail server is not valid for its name.")
        if isinstance(failed.__cause__, OSError):
            raise NotChecked("the mail server does not answer") from None
        return error("The mail server does not speak TLS as SMTP_URL says.")


async def check_login(installation: Installation) -> Finding:
    server = installation.settings.mail_server
    if server and not server.password:
        raise NotUsed("SMTP_URL has no password")
    try:
        async with _connected(installation, tls=True, login=True):
            return ok("The mail server accepts the password.")
    except SMTPAuthenticationError:
        return error("The mail server refuses the user or the password of SMTP_URL.")
    except REFUSED:
        raise NotChecked("no connection to the mail server") from None


async def check_sender(installation: Installation) -> Finding:
    """Offer the sender to the server, and take it back."""
    settings = installation.settings
    sender = parseaddr(settings.mail_from or "")[1] or f"no-reply@{mail_host(settings.public_url)}"
    try:
        async with _connected(installation, tls=True, login=True) as client:
            await client.mail(sender)
            await client.rset()
            return ok("The mail server accepts the sender.")
    except SMTPAuthenticationError:
        raise NotChecked("the mail server refuses the password") from None
    except SMTPResponseException as failed:
        return error(f"The mail server refuses the sender (status {failed.code}).")
    except REFUSED:
        raise NotChecked("no connection to the mail server") from None


CHECKS: Sequence[Check] = (
    Check(
        id="mail-configured",
        title="A mail server is set",
        remedy="Set `GOODWORD_SMTP_URL`. See `docs/self-hosting.md`.",
        level=Level.WARNING,
        run=check_configured,
    ),
    Check(
        id="mail-reachable",
        title="The mail server answers",
        remedy="Correct the host and the port in `GOODWORD_SMTP_URL`, or open the port in the firewall.",
        level=Level.ERROR,
        run=check_reachable,
    ),
    Check(
        id="mail-tls",
        title="The mail server speaks TLS, with a valid certificate",
        remedy="Use the name in the certificate, `smtps://` for TLS from the start, or another server.",
        level=Level.ERROR,
        run=check_tls,
    ),
    Check(
        id="mail-login",
        title="The mail server accepts the password",
        remedy="Correct the user and the password in `GOODWORD_SMTP_URL`.",
        level=Level.ERROR,
        run=check_login,
    ),
    Check(
        id="mail-sender",
        title="The mail server accepts the sender",
        remedy="Set `GOODWORD_MAIL_FROM` to an address that the user of the mail server may send from.",
        level=Level.ERROR,
        run=check_sender,
    ),
)
