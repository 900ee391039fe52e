"""The keyed hashes of codes and users in an export, and ids that depend on what a file says about a user."""

import hashlib
import uuid

from goodword.crypto import hmac_of
from goodword.services import Services


def written_mac(services: Services, mac: bytes) -> str:
    """Return the keyed hash of an erased code, after a digest of the key, without which it means nothing."""
    return f"{_key_digest(services)}:{mac.hex()}"


def read_mac(services: Services, text: str) -> bytes | None:
    """Return the keyed hash, or None if it was made with another key."""
    digest, _, mac = text.partition(":")
    return bytes.fromhex(mac) if digest == _key_digest(services) else None


def _key_digest(services: Services) -> str:
    return hashlib.sha256(b"goodword codes" + services.keys.referral_codes).hexdigest()[:16]


def code_mac(services: Services, key: str) -> bytes:
    return hmac_of(services.keys.referral_codes, key.encode())


def derived_id(services: Services, kind: str, value: str) -> uuid.UUID:
    """Return the id (UUIDv8) that an imported user gets, if the file gives none.

    It depends on the external id or the address alone. So the tombstone of an erased user also stops a later import of
    the same file, and concurrent imports of it give the same ids.
    """
    digest = hmac_of(services.keys.tombstones, kind.encode(), value.encode())[:16]
    number = int.from_bytes(digest) & ~(0xF << 76) & ~(0x3 << 62)
    return uuid.UUID(int=number | 8 << 76 | 2 << 62)
