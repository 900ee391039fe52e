"""Keys for each purpose, derived from the one secret, and what is done with them."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WrongSecret(Exception):
    """What is stored was sealed with another secret."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF, RFC 5869): to lose one key tells nothing of the others."""
    return HKDF(SHA256(), 32, salt=b"goodword", info=purpose.encode()).derive(secret)


def hmac_of(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 of the parts, each with its length, so that no two lists of parts look alike."""
    message = b"".join(len(part).to_bytes(8) + part for part in parts)
    return hmac.digest(key, message, hashlib.sha256)


def encrypt(key: bytes, plain: bytes, *, about: bytes) -> bytes:
    """Encrypt for storage (AES-256-GCM, a random nonce in front), bound to what it is about."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def decrypt(key: bytes, sealed: bytes, *, about: bytes) -> bytes:
    """What `seal` took. Raises `WrongSecret`."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], about)
    except InvalidTag:
        raise WrongSecret from None
