"""Delivery of messages to the mail server, or into files if no mail server is configured."""

import asyncio
import contextlib
import os
import secrets
import uuid
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path

import structlog
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from goodword.config.settings import Settings
from goodword.config.smtp_url import MailServer
from goodword.jobs.service import ClaimedJob, JobFailed, PermanentFailure
from goodword.mail.messages import MessageContents, MessageKind, build_message, mail_host
from goodword.services import Services
from goodword.telemetry.metrics import EMAILS

TIMEOUT = 30.0
"""Seconds for a whole delivery: less than the lease of a job."""
ABOUT_HEADER = "X-Goodword-About"
"""The header of a saved message with the ids of the users it is about. An erasure deletes these messages."""

log = structlog.get_logger("goodword.mail")


class NotDelivered(JobFailed):
    """A delivery that may succeed later. The server's reply is left out: it can contain addresses."""


async def send(
    services: Services,
    job: ClaimedJob,
    kind: MessageKind,
    contents: MessageContents,
    *,
    to: str,
    language: str,
    about: Sequence[uuid.UUID],
) -> None:
    """Build the message of a job and deliver it. Raises what `deliver` raises. `about` are the users it is about."""
    settings = services.settings
    message = build_message(
        kind,
        to=to,
        job_id=job.id,
        settings=settings,
        now=services.clock(),
        language=language,
        contents=contents,
    )
    outcome = "deferred"
    try:
        await deliver(message, settings, name=f"{kind}-{job.id}", about=about)
        outcome = "sent" if settings.mail_server else "saved"
    except PermanentFailure:
        outcome = "refused"
        raise
    finally:
        services.metrics.add(EMAILS, kind, outcome)


async def deliver(
    message: EmailMessage, settings: Settings, *, name: str, about: Sequence[uuid.UUID]
) -> None:
    """Send a message, or save it as `<name>.eml` if no mail server is configured.

    Raises `NotDelivered` if another attempt may succeed, and `PermanentFailure` otherwise.
    """
    server = settings.mail_server
    if server is None:
        message[ABOUT_HEADER] = " ".join(map(str, about))
        await save(message, settings.emails_dir, name=name)
        return
    try:
        async with asyncio.timeout(TIMEOUT):
            await _send(message, server, greeting=mail_host(settings.public_url))
    except SMTPRecipientsRefused as error:
        _raise_if_permanent(*(recipient.code for recipient in error.recipients))
        raise NotDelivered(_describe(error.recipients[0])) from None
    except SMTPDataError as error:
        _raise_if_permanent(error.code)
        raise NotDelivered(_describe(error)) from None
    except SMTPNotSupported as error:
        if "SMTPUTF8" in str(error):
            raise PermanentFailure("the mail server does not support this address (SMTPUTF8)") from None
        raise NotDelivered(_describe(error)) from None
    except (SMTPException, OSError, ValueError) as error:
        # A wrong password, an invalid certificate, a missing STARTTLS: the operator can fix them.
        raise NotDelivered(_describe(error)) from None
    log.info("message sent", message=name)


async def save(message: EmailMessage, folder: Path, *, name: str) -> None:
    """Save a message as a file, atomically. A file of the same name is replaced."""
    await asyncio.to_thread(_write, message.as_bytes(), folder, f"{name}.eml")
    log.info("message saved", message=name)


async def _send(message: EmailMessage, server: MailServer, *, greeting: str) -> None:
    client = SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "implicit",
        start_tls=server.tls == "starttls",  # True: fail if the server does not offer it
        username=server.user,
        password=server.password,
        local_hostname=greeting,  # by default aiosmtplib asks DNS, and blocks the event loop
        timeout=TIMEOUT,
    )
    try:
        await client.connect()
        sender, recipient = (message[header].addresses[0].addr_spec for header in ("From", "To"))
        options = [] if recipient.isascii() else ["SMTPUTF8"]
        await client.sendmail(sender, [recipient], message.as_bytes(), mail_options=options)
        # The server has accepted the message. An error in QUIT is not a failure.
        with contextlib.suppress(SMTPException, OSError):
            async with asyncio.timeout(1):
                await client.quit()
    finally:
        client.close()


def _raise_if_permanent(*codes: int) -> None:
    if all(500 <= code <= 599 for code in codes):
        raise PermanentFailure(f"the mail server rejected it permanently ({codes[0]})") from None


def _describe(error: Exception) -> str:
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return f"the mail server did not accept it: {type(error).__name__}{code}"


def _write(content: bytes, folder: Path, name: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{name}.{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)
