"""Refusing letters that others cause, without an account: by a token that only such a letter carries."""

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

KEY = "refusals of letters"
PREFIX = "gwr_"
SEAL = 16


class UnsubscribeTokenInvalid(BadRequest):
    code, detail = "token_invalid", "This link is not whole. Take it from the letter once more."


def token(key: bytes, mailbox: str) -> str:
    """What a letter to this mailbox carries. It names the mailbox by its keyed hash, and proves itself.

    It does not expire: whoever finds the letter years later can still refuse.
    """
    address_mac = _address_mac(key, mailbox)
    return PREFIX + base64.urlsafe_b64encode(address_mac + _seal(key, address_mac)).decode()


async def unsubscribe(session: AsyncSession, key: bytes, token: str, *, now: datetime) -> None:
    """No more letters that others cause go to the mailbox of this token. Raises `RefusalInvalid`."""
    address_mac = _read(key, token)
    if address_mac is None:
        raise UnsubscribeTokenInvalid
    if await insert_if_absent(session, Unsubscribe, address_mac=address_mac, created_at=now):
        record(session, Action.EMAILS_UNSUBSCRIBED, Subject.NONE)


async def is_unsubscribed(session: AsyncSession, key: bytes, mailbox: str) -> bool:
    """Whether whoever reads this mailbox wants none. `mailbox` is an address in its canonical form.

    So it holds for every way to write the address: whoever pesters somebody would only add another plus-tag.
    """
    query = select(Unsubscribe.id).where(Unsubscribe.address_mac == _address_mac(key, mailbox))
    return await session.scalar(query) is not None


def _read(key: bytes, token: str) -> bytes | None:
    try:
        raw = base64.b64decode(token.removeprefix(PREFIX).encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    address_mac, seal = raw[:-SEAL], raw[-SEAL:]
    whole = token.startswith(PREFIX) and hmac.compare_digest(seal, _seal(key, address_mac))
    return address_mac if whole else None


def _address_mac(key: bytes, mailbox: str) -> bytes:
    return hmac_of(key, b"mailbox", mailbox.encode())


def _seal(key: bytes, address_mac: bytes) -> bytes:
    # Of its own, so that the hashes in the database are no tokens.
    return hmac_of(key, b"token", address_mac)[:SEAL]
