"""Password hashes of other systems. An import stores them, and the first sign-in replaces them by our own.

Read are bcrypt (also as Django writes it), Django's PBKDF2, scrypt as Django and Passlib write it, and Argon2. The cost
is bounded, because each sign-in pays it.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

MAX_LENGTH = 255
MAX_BCRYPT_COST = 14
MAX_ITERATIONS = 2_000_000
MAX_SCRYPT_BLOCKS = 1 << 19
"""N · r: 64 MiB."""
MAX_SCRYPT_WORK = 1 << 21
"""N · r · p."""
MAX_ARGON2_MEMORY = 128 * 1024
"""KiB."""
MAX_ARGON2_WORK = 1 << 19
"""Memory in KiB · passes."""
MAX_ARGON2_LANES = 16
BCRYPT_BYTES = 72
"""bcrypt ignores what follows."""

_BCRYPT = re.compile(
    r"(bcrypt_sha256\$|bcrypt\$)?(\$2[aby]\$(\d\d)\$)[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)
_PBKDF2 = re.compile(r"pbkdf2_sha256\$([1-9]\d{0,8})\$([^$\s]{1,128})\$([A-Za-z0-9+/]{43}=)")
_DJANGO_SCRYPT = re.compile(
    r"scrypt\$([1-9]\d{0,8})\$([^$\s]{1,128})\$([1-9]\d{0,3})\$([1-9]\d{0,3})\$([A-Za-z0-9+/]{86}==)"
)
_PASSLIB_SCRYPT = re.compile(
    r"\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})\$([A-Za-z0-9+/]{2,86})\$([A-Za-z0-9+/]{43})"
)
_ARGON2 = re.compile(
    r"(?:argon2)?(\$argon2(?:id|i|d)\$v=19\$m=([1-9]\d{0,8}),t=([1-9]\d{0,8}),p=([1-9]\d{0,3})\$)"
    r"([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})"
)


class ImportedHash(NamedTuple):
    """A hash that was read. `verify` takes the bytes of a password as it was typed."""

    verify: Callable[[bytes], bool]
    cost: str
    """A hash of no password that takes as long to verify."""


class HashUnknown(ValueError):
    """The text is not a hash that can be verified here."""


class HashTooCostly(ValueError):
    """Each sign-in would take too much time or memory."""


def parse(encoded: str) -> ImportedHash:
    """Read a hash. Raises `HashUnknown` and `HashTooCostly`."""
    if len(encoded) <= MAX_LENGTH:
        for pattern, read in _READERS.items():
            if found := pattern.fullmatch(encoded):
                return read(found)
    raise HashUnknown


def cost_of(encoded: str) -> str | None:
    """Return the cost of a hash: see `ImportedHash`. A hash that cannot be verified has none."""
    try:
        return parse(encoded).cost
    except ValueError:
        return None


def verify(encoded: str, password: bytes) -> bool:
    """Return whether the password is right. A hash that is unknown or too costly is never right."""
    try:
        return parse(encoded).verify(password)
    except ValueError:
        return False


def _bound(value: int, most: int) -> None:
    if value > most:
        raise HashTooCostly


def _bcrypt(found: re.Match[str]) -> ImportedHash:
    import bcrypt  # needed only where hashes were imported

    is_hashed_first, prefix = found[1] == "bcrypt_sha256$", found[2]
    _bound(int(found[3]), MAX_BCRYPT_COST)
    if int(found[3]) < 4:
        raise HashUnknown
    encoded = found[0].removeprefix(found[1] or "").encode()

    def check(password: bytes) -> bool:
        if is_hashed_first:
            password = hashlib.sha256(password).hexdigest().encode()
        return bcrypt.checkpw(password[:BCRYPT_BYTES], encoded)

    return ImportedHash(check, f"{prefix}{'.' * 53}")


def _same(derive: Callable[[bytes], bytes], digest: bytes, password: bytes) -> bool:
    return hmac.compare_digest(derive(password), digest)


def _pbkdf2(found: re.Match[str]) -> ImportedHash:
    iterations, salt = int(found[1]), found[2].encode()
    _bound(iterations, MAX_ITERATIONS)

    def derive(password: bytes) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password, salt, iterations)

    check = partial(_same, derive, base64.b64decode(found[3]))
    return ImportedHash(check, f"pbkdf2_sha256${iterations}$none${'A' * 43}=")


def _django_scrypt(found: re.Match[str]) -> ImportedHash:
    n, block, lanes = int(found[1]), int(found[3]), int(found[4])
    check = _scrypt(n, block, lanes, found[2].encode(), base64.b64decode(found[5]))
    return ImportedHash(check, f"scrypt${n}$none${block}${lanes}${'A' * 86}==")


def _passlib_scrypt(found: re.Match[str]) -> ImportedHash:
    exponent, block, lanes = (int(found[number]) for number in (1, 2, 3))
    check = _scrypt(1 << exponent, block, lanes, _unpadded(found[4]), _unpadded(found[5]))
    return ImportedHash(check, f"$scrypt$ln={exponent},r={block},p={lanes}$AAAA${'A' * 43}")


def _scrypt(n: int, block: int, lanes: int, salt: bytes, digest: bytes) -> Callable[[bytes], bool]:
    _bound(n * block, MAX_SCRYPT_BLOCKS)
    _bound(n * block * lanes, MAX_SCRYPT_WORK)
    if n < 2 or n & (n - 1):
        raise HashUnknown
    memory = 128 * block * (n + lanes + 2) + (1 << 16)

    def derive(password: bytes) -> bytes:
        return hashlib.scrypt(password, salt=salt, n=n, r=block, p=lanes, maxmem=memory, dklen=len(digest))

    return partial(_same, derive, digest)


def _argon2(found: re.Match[str]) -> ImportedHash:
    prefix, memory, passes, lanes = found[1], int(found[2]), int(found[3]), int(found[4])
    _bound(memory, MAX_ARGON2_MEMORY)
    _bound(memory * passes, MAX_ARGON2_WORK)
    _bound(lanes, MAX_ARGON2_LANES)
    if memory < 8 * lanes:
        raise HashUnknown
    _unpadded(found[5]), _unpadded(found[6])
    encoded = f"{prefix}{found[5]}${found[6]}"

    def check(password: bytes) -> bool:
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return PasswordHasher().verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    return ImportedHash(check, f"{prefix}{'A' * 22}${'A' * 43}")


def _unpadded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise HashUnknown from None


_READERS: Mapping[re.Pattern[str], Callable[[re.Match[str]], ImportedHash]] = {
    _BCRYPT: _bcrypt,
    _PBKDF2: _pbkdf2,
    _DJANGO_SCRYPT: _django_scrypt,
    _PASSLIB_SCRYPT: _passlib_scrypt,
    _ARGON2: _argon2,
}
