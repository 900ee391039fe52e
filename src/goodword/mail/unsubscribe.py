"""Unsubscribing from messages that other users cause, by the token in such a message."""

import base64
import binascii
import hmac
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import BadRequest
from goodword.mail.models import Unsubscribe

PURPOSE = "refusals of letters"
PREFIX = "gwr_"
MAC_BYTES = 16


class UnsubscribeTokenInvalid(BadRequest):
    code, detail = "token_invalid", "This link is incomplete. Copy it from the message again."


def make_token(key: bytes, mailbox: str) -> str:
    """Return the token for a mailbox: its keyed hash and a MAC. It never expires."""
    address_mac = _address_mac(key, mailbox)
    return PREFIX + base64.urlsafe_b64encode(address_mac + _token_mac(key, address_mac)).decode()


async def unsubscribe(session: AsyncSession, key: bytes, token: str, *, now: datetime) -> None:
    """Mark the mailbox of this token as unsubscribed. Raises `UnsubscribeTokenInvalid`."""
    address_mac = _read(key, token)
    if address_mac is None:
        raise UnsubscribeTokenInvalid
    if await insert_if_absent(session, Unsubscribe, address_mac=address_mac, created_at=now):
        record(session, Action.EMAILS_UNSUBSCRIBED, Subject.NONE)


async def is_unsubscribed(session: AsyncSession, key: bytes, mailbox: str) -> bool:
    """Return whether a mailbox is unsubscribed. `mailbox` is a canonical address, without a plus-tag."""
    query = select(Unsubscribe.id).where(Unsubscribe.address_mac == _address_mac(key, mailbox))
    return await session.scalar(query) is not None


def _read(key: bytes, token: str) -> bytes | None:
    try:
        raw = base64.b64decode(token.removeprefix(PREFIX).encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    address_mac, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    is_valid = token.startswith(PREFIX) and hmac.compare_digest(mac, _token_mac(key, address_mac))
    return address_mac if is_valid else None


def _address_mac(key: bytes, mailbox: str) -> bytes:
    return hmac_of(key, b"mailbox", mailbox.encode())


def _token_mac(key: bytes, address_mac: bytes) -> bytes:
    # Without it the hashes in the database would be tokens.
    return hmac_of(key, b"token", address_mac)[:MAC_BYTES]
