"""The term of a code: how long it can be used."""

from datetime import datetime, timedelta
from math import ceil

from goodword.errors import Unprocessable

MIN_TERM = timedelta(seconds=60)
MAX_TERM = timedelta(days=366)


class TermMissing(Unprocessable):
    code, detail = "term_missing", "The term is missing. Give either `expires_at` or `lifetime`."


class TermAmbiguous(Unprocessable):
    code, detail = "term_ambiguous", "Give either `expires_at` or `lifetime`, not both."


class TermTooShort(Unprocessable):
    code, detail = "term_too_short", "The term of a code must be at least 60 seconds."

    def __init__(self, field: str) -> None:
        super().__init__()
        self.field = field


class TermTooLong(TermTooShort):
    code, detail = "term_too_long", "The term of a code must be at most 366 days."


def end_of_term(expires_at: datetime | None, lifetime: int | None, *, now: datetime) -> datetime:
    """Return when a code created at `now` expires. Raises one of the `Term…` errors.

    The term is rounded up to whole seconds: one of 60 seconds may have become shorter while the request was sent.
    """
    if expires_at is not None and lifetime is not None:
        raise TermAmbiguous
    if expires_at is not None:
        field, seconds = "body.expires_at", ceil((expires_at - now).total_seconds())
    elif lifetime is not None:
        field, seconds = "body.lifetime", lifetime
    else:
        raise TermMissing
    if seconds < MIN_TERM.total_seconds():
        raise TermTooShort(field)
    if seconds > MAX_TERM.total_seconds():
        raise TermTooLong(field)
    return expires_at or now + timedelta(seconds=seconds)
