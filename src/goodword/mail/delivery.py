"""Where letters go: to the mail server, or, when there is none, into files for the operator to look at."""

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
from goodword.jobs.service import JobFailed, PermanentFailure
from goodword.mail.messages import mail_host

SECONDS = 30.0
"""For a whole delivery, whatever the server does: well within the time that a job may take."""

ABOUT = "X-Goodword-About"

log = structlog.get_logger("goodword.mail")


class NotDelivered(JobFailed):
    """The mail server did not take it, this time. The server's own words stay out: they name addresses."""


async def deliver(
    message: EmailMessage, settings: Settings, *, name: str, about: Sequence[uuid.UUID]
) -> None:
    """Hand a letter to the mail server; or keep it as `<name>.eml`, when there is none.

    A kept one says whom it is `about`, so that it can be found when they are erased.
    Raises `NotDelivered` when another attempt may help, and `Hopeless` when the letter was refused for good.
    """
    server = settings.mail_server
    if server is None:
        message[ABOUT] = " ".join(map(str, about))
        await keep(message, folder(settings), name=name)
        return
    try:
        async with asyncio.timeout(SECONDS):
            await _hand_in(message, server, greeting=mail_host(settings.public_url))
    except SMTPRecipientsRefused as refused:
        _give_up_if_final(*(recipient.code for recipient in refused.recipients))
        raise NotDelivered(_how(refused.recipients[0])) from None
    except SMTPDataError as refused:
        _give_up_if_final(refused.code)
        raise NotDelivered(_how(refused)) from None
    except SMTPNotSupported as lacking:
        if "SMTPUTF8" in str(lacking):
            raise PermanentFailure("the mail server takes no such address (SMTPUTF8)") from None
        raise NotDelivered(_how(lacking)) from None
    except (SMTPException, OSError, ValueError) as error:
        # Whatever else it is, the operator can mend it: a wrong password, a certificate, no STARTTLS.
        raise NotDelivered(_how(error)) from None
    log.info("letter sent", letter=name)


def folder(settings: Settings) -> Path:
    """Where letters are kept."""
    return settings.data_dir / "letters"


async def keep(message: EmailMessage, folder: Path, *, name: str) -> None:
    """Keep a letter as a file, whole or not at all. The same name again replaces it."""
    await asyncio.to_thread(_keep, message.as_bytes(), folder, f"{name}.eml")
    log.info("letter kept", letter=name)


async def _hand_in(message: EmailMessage, server: MailServer, *, greeting: str) -> None:
    client = SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "implicit",
        start_tls=server.tls == "starttls",  # True is a must: without the offer nothing is sent
        username=server.user,
        password=server.password,
        local_hostname=greeting,  # else the library asks the name service, and everything waits
        timeout=SECONDS,
    )
    try:
        await client.connect()
        sender, recipient = (message[header].addresses[0].addr_spec for header in ("From", "To"))
        options = [] if recipient.isascii() else ["SMTPUTF8"]
        await client.sendmail(sender, [recipient], message.as_bytes(), mail_options=options)
        # It is theirs from here on. Whether they say goodbye must not make it a failure.
        with contextlib.suppress(SMTPException, OSError):
            async with asyncio.timeout(1):
                await client.quit()
    finally:
        client.close()


def _give_up_if_final(*codes: int) -> None:
    if all(500 <= code <= 599 for code in codes):
        raise PermanentFailure(f"the mail server refused it for good ({codes[0]})") from None


def _how(error: Exception) -> str:
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return f"the mail server did not take it: {type(error).__name__}{code}"


def _keep(content: bytes, folder: Path, name: str) -> None:
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
