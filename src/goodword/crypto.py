"""Derive keys from the secret, compute HMACs, encrypt and decrypt."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WrongSecret(Exception):
    """Raised for data that was encrypted with another secret."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """Return a 32-byte key for one purpose (HKDF, RFC 5869)."""
    return HKDF(SHA256(), 32, salt=b"goodword", info=purpose.encode()).derive(secret)


def hmac_of(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC-SHA256 of the parts, each preceded by its length."""
    message = b"".join(len(part).to_bytes(8) + part for part in parts)
    return hmac.digest(key, message, hashlib.sha256)


def encrypt(key: bytes, plain: bytes, *, about: bytes) -> bytes:
    """Encrypt with AES-256-GCM, bound to the context `about`. The result begins with a random nonce."""
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def decrypt(key: bytes, sealed: bytes, *, about: bytes) -> bytes:
    """Decrypt the result of `encrypt`. Raises `WrongSecret`."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], about)
    except InvalidTag:
        raise WrongSecret from None
