"""The form of a check and of what it finds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goodword.doctor.installation import Installation


class Level(StrEnum):
    """From the best to the worst. Only an error changes the exit status of the command."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check. The text never holds a secret or personal data."""

    level: Level
    text: str
    checked: bool = True
    """Whether the check was made. If it was not, the text says why."""


class NotChecked(Exception):
    """Raised by a check that cannot be made, with the reason."""


class NotUsed(Exception):
    """Raised by a check of a part that the installation does not use, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check. Its id never changes, so that programs can rely on it."""

    id: str
    title: str
    remedy: str
    """What the operator does about a finding."""
    level: Level
    """The worst level that it reports."""
    run: "Callable[[Installation], Awaitable[Finding]]"


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def note(text: str) -> Finding:
    return Finding(Level.NOTE, text)


def warning(text: str) -> Finding:
    return Finding(Level.WARNING, text)


def error(text: str) -> Finding:
    return Finding(Level.ERROR, text)
