"""Unsubscribing from messages that other users cause, by the token in such a message."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.crypto import Signer, hmac_of
from goodword.db.statements import insert_if_absent
from goodword.errors import BadRequest
from goodword.mail.models import Unsubscribe
from goodword.web import pasted_links

PREFIX, TOKEN_LENGTH = "gwu_", 64


class UnsubscribeTokenInvalid(BadRequest):
    code, detail = "token_invalid", "This link is incomplete. Copy it from the message again."


def make_token(key: bytes, mailbox: str) -> str:
    """Return the token for a mailbox: its keyed hash and a MAC. It never expires."""
    return Signer(key, PREFIX).sign(_address_mac(key, mailbox))


def find_token(text: str) -> str:
    """Return the token in a link as people paste it. Return other text as it is."""
    return pasted_links.find_token(text, PREFIX, TOKEN_LENGTH)


async def unsubscribe(session: AsyncSession, key: bytes, token: str, *, now: datetime) -> None:
    """Mark the mailbox of this token as unsubscribed. Raises `UnsubscribeTokenInvalid`."""
    address_mac = Signer(key, PREFIX).verify(token)
    if address_mac is None:
        raise UnsubscribeTokenInvalid
    if await insert_if_absent(session, Unsubscribe, address_mac=address_mac, created_at=now):
        record(session, Action.EMAILS_UNSUBSCRIBED, Subject.NONE)


async def is_unsubscribed(session: AsyncSession, key: bytes, mailbox: str) -> bool:
    """Return whether a mailbox is unsubscribed. `mailbox` is a canonical address, without a plus-tag."""
    query = select(Unsubscribe.id).where(Unsubscribe.address_mac == _address_mac(key, mailbox))
    return await session.scalar(query) is not None


def _address_mac(key: bytes, mailbox: str) -> bytes:
    return hmac_of(key, b"mailbox", mailbox.encode())
