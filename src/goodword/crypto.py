"""Derive keys from the secret, compute HMACs, encrypt and decrypt."""

import base64
import binascii
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


class Signer:
    """Signs payloads as opaque text: a prefix, then the payload and its MAC in base64url.

    Each purpose has a key and a prefix of its own. The text is not encrypted.
    """

    MAC_BYTES = 16

    def __init__(self, key: bytes, prefix: str) -> None:
        self._key, self._prefix = key, prefix

    def sign(self, payload: bytes, context: str = "") -> str:
        """Return the text for `payload`. `context` is signed too, but is not part of the text."""
        mac = hmac_of(self._key, self._prefix.encode(), payload, context.encode())[: self.MAC_BYTES]
        return self._prefix + base64.urlsafe_b64encode(payload + mac).decode().rstrip("=")

    def verify(self, text: str, context: str = "") -> bytes | None:
        """Return the payload of a text made by `sign` with the same context, or None for any other text."""
        encoded = text[len(self._prefix) :]
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        payload = raw[: -self.MAC_BYTES]
        # The text is compared, not its bytes: several base64 texts decode to the same bytes.
        is_valid = text.isascii() and hmac.compare_digest(text, self.sign(payload, context))
        return payload if is_valid else None


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
