"""The job that follows an erasure: it deletes further codes, saved messages, IP addresses, and SQLite's log.

It runs immediately, and again when every job that ran during the erasure has ended.
"""

import asyncio
import email
import email.policy
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit import hash_chain, ip_retention as audited
from goodword.codes import erasure
from goodword.crypto import hmac_of
from goodword.db.personal_data import DataSubject
from goodword.jobs import service as jobs
from goodword.jobs.service import LEASE, ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import delivery
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.users import addresses

CLEAN_UP = "forget_traces"
CAUSED_BY_OTHERS = (MessageKind.INVITATION, MessageKind.CODE_REQUESTED, MessageKind.CHANGE_EMAIL)
"""Messages that are about another user than their recipient. The names of their files begin with the kind."""
SECOND_RUN = 2 * LEASE
BATCH = 1_000

log = structlog.get_logger("goodword.account")


async def schedule(session: AsyncSession, services: Services, subject: DataSubject) -> None:
    """Enqueue the jobs that follow the erasure of `subject`."""
    now = services.clock()
    mailbox = _mailbox(services.keys.erased_mailboxes, subject.email) if subject.email else ""
    payload = {"user_id": str(subject.user_id), "mailbox": mailbox}
    payload["until"] = str((now + LEASE).timestamp())
    for run_at in (now, now + SECOND_RUN):
        jobs.enqueue(session, CLEAN_UP, payload, now=now, run_at=run_at)


async def clean_up(services: Services, job: ClaimedJob) -> None:
    """Erase further codes, delete saved messages to or about the user, and clear IP addresses in the audit log."""
    user_id = uuid.UUID(job.payload["user_id"])
    await _erase_codes(services, user_id)
    removed = await asyncio.to_thread(_remove_messages, services, job.payload)
    if removed:
        log.info("messages removed", files=removed)
    # Seal first: the seal covers a digest of the address.
    await hash_chain.seal(services.database, services.keys.audit)
    cleared = BATCH
    while cleared == BATCH:
        async with services.database.transaction() as session:
            cleared = await audited.clear_for_user(session, user_id, limit=BATCH)
    await services.database.truncate_wal()


async def _erase_codes(services: Services, user_id: uuid.UUID) -> None:
    """Erase the codes that the transaction of the erasure left, each batch in a transaction."""
    position, is_first = None, True
    while is_first or position is not None:
        async with services.database.transaction() as session:
            position = await erasure.erase_batch(
                session, services, user_id, after=position, now=services.clock()
            )
        is_first = False


def _remove_messages(services: Services, payload: Mapping[str, str]) -> int:
    removed = 0
    for path in services.settings.emails_dir.glob("*.eml"):
        if _is_about(path, services.keys.erased_mailboxes, payload):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_about(path: Path, key: bytes, payload: Mapping[str, str]) -> bool:
    try:
        with path.open("rb") as file:
            message = email.message_from_binary_file(file, policy=email.policy.default)
        if payload["user_id"] in message.get(delivery.ABOUT_HEADER, "").split():
            return True
        if not path.name.startswith(CAUSED_BY_OTHERS):
            return False  # about a new account with the same address
        # Later messages are for a new account with the same address.
        to = [_mailbox(key, address.addr_spec) for address in message["To"].addresses]
        return payload["mailbox"] in to and path.stat().st_mtime <= float(payload["until"])
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return False  # another kind of file


def _mailbox(key: bytes, address: str) -> str:
    with suppress(ValueError):
        address = addresses.parse(address).key
    return hmac_of(key, address.encode()).hex()


HANDLERS: Mapping[str, Handler] = {CLEAN_UP: clean_up}
