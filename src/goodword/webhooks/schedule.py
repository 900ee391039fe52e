"""When a delivery is tried again: the schedule of Standard Webhooks, and `Retry-After`."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After each attempt but the last. Together they take more than three days."""
LONGEST_WAIT = timedelta(hours=24)
"""What a receiver can ask for with `Retry-After`."""
JITTER = 0.1


def next_attempt(attempt: int, *, retry_after: str | None, now: datetime) -> datetime | None:
    """Return when to try again after the attempt of this number, or None after the last."""
    if attempt > len(DELAYS):
        return None
    delay = DELAYS[attempt - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311
    return now + max(delay, _asked(retry_after, now))


def _asked(retry_after: str | None, now: datetime) -> timedelta:
    """Return the delay that a receiver asks for (RFC 9110 §10.2.3), at most a day."""
    text = (retry_after or "").strip()
    asked = timedelta(0)
    if text.isascii() and text.isdecimal() and len(text) < 10:
        asked = timedelta(seconds=int(text))
    elif text:
        with suppress(ValueError, TypeError, OverflowError):
            at = parsedate_to_datetime(text)
            asked = at.replace(tzinfo=at.tzinfo or UTC) - now
    return min(asked, LONGEST_WAIT)
