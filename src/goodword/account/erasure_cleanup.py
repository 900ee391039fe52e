"""What an erasure cannot remove in its own transaction: kept letters, addresses in the audit, SQLite's log.

A job does it, at once and again when whatever was under way at that moment has come to an end.
"""

import asyncio
import email
import email.policy
import uuid
from collections.abc import Mapping
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import hash_chain, ip_retention as audited
from goodword.config.settings import Settings
from goodword.crypto import derive_key, hmac_of
from goodword.db.personal_data import DataSubject
from goodword.jobs import service as jobs
from goodword.jobs.service import LEASE, ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.users import addresses

CLEAN_UP = "forget_traces"
PURPOSE = "mailboxes of the erased"
"""Of the key: the job must not name the address that it makes forgotten."""
AT_ANOTHERS_WISH = (MessageKind.INVITATION, MessageKind.CODE_ASKED_FOR, MessageKind.CHANGE_EMAIL)
"""Letters that come to a mailbox though they are about somebody else. Their files' names begin so."""
AGAIN = 2 * LEASE
BATCH = 1_000

log = structlog.get_logger("goodword.account")


async def schedule(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    """Enqueue the jobs that follow the erasure of `subject`."""
    now = services.clock()
    payload = {"user_id": str(subject.user_id), "mailbox": _mailbox(services.settings, subject.email)}
    payload["until"] = str((now + LEASE).timestamp())
    for run_at in (now, now + AGAIN):
        jobs.enqueue(session, CLEAN_UP, payload, now=now, run_at=run_at)


async def clean_up(services: Services, work: ClaimedJob) -> None:
    """Remove kept letters to the person or naming them, and clear the addresses they came from."""
    user_id, settings = uuid.UUID(work.payload["user_id"]), services.settings
    removed = await asyncio.to_thread(_remove_letters, settings, work.payload)
    if removed:
        log.info("letters removed", files=removed)
    # An address goes only after its row is sealed: the seal covers a digest of it.
    await hash_chain.seal(services.database, services.keys.audit)
    cleared = BATCH
    while cleared == BATCH:
        async with services.database.transaction() as session:
            cleared = await audited.clear_for_user(session, user_id, limit=BATCH)
    await services.database.truncate_wal()


def _remove_letters(settings: Settings, sought: Mapping[str, str]) -> int:
    removed = 0
    for path in delivery.folder(settings).glob("*.eml"):
        if _is_about(path, settings, sought):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_about(path: Path, settings: Settings, sought: Mapping[str, str]) -> bool:
    try:
        with path.open("rb") as file:
            letter = email.message_from_binary_file(file, policy=email.policy.default)
        if sought["user_id"] in letter.get(delivery.ABOUT, "").split():
            return True
        if not path.name.startswith(AT_ANOTHERS_WISH):
            return False  # to whoever has the address now, about an account that is not this one
        # Later letters are for somebody who joined anew with the address.
        to = [_mailbox(settings, address.addr_spec) for address in letter["To"].addresses]
        return sought["mailbox"] in to and path.stat().st_mtime <= float(sought["until"])
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return False  # it is none of ours


def _mailbox(settings: Settings, address: str) -> str:
    try:
        key = addresses.parse(address).key
    except ValueError:
        key = address
    return hmac_of(derive_key(settings.secret, PURPOSE), key.encode()).hex()


HANDLERS: Mapping[str, Handler] = {CLEAN_UP: clean_up}
