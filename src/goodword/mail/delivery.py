"""Where letters go. So far they are kept as files, for the operator to look at or to send on."""

import asyncio
import os
import secrets
from email.message import EmailMessage
from pathlib import Path

import structlog

log = structlog.get_logger("goodword.mail")


async def deliver(message: EmailMessage, folder: Path, *, name: str) -> None:
    """Keep a letter as `<name>.eml`, whole or not at all. The same name again replaces it."""
    await asyncio.to_thread(_keep, message.as_bytes(), folder, f"{name}.eml")
    log.info("letter kept", letter=name)


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
