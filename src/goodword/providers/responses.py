"""Requests to providers, and the meaning of their HTTP statuses, which Hunter and Clearbit share."""

from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from goodword.outbound.http_client import OutboundClient, Reply, Unreachable

log = structlog.get_logger("goodword.providers")


class Outcome(StrEnum):
    ANSWER = "answer"
    PENDING = "pending"
    """The provider is still working: ask again (202)."""
    FAILED = "failed"
    """The mail server of the address did not respond properly (222, a failure although it is 2xx)."""
    NOTHING = "nothing"
    """The provider has no data. Do not ask again."""
    RESTRICTED = "restricted"
    """The owner of the address has forbidden to process it (451)."""
    THROTTLED = "throttled"
    """Too many requests, or the plan is used up. Hunter uses both 403 and 429, for either."""
    KEY_REFUSED = "key refused"
    BROKEN = "broken"


STATUSES = {
    200: Outcome.ANSWER,
    202: Outcome.PENDING,
    222: Outcome.FAILED,
    401: Outcome.KEY_REFUSED,
    402: Outcome.THROTTLED,
    403: Outcome.THROTTLED,
    408: Outcome.BROKEN,
    429: Outcome.THROTTLED,
    451: Outcome.RESTRICTED,
}


class Answer(NamedTuple):
    """The outcome of a request, and the value of an answer."""

    outcome: Outcome
    value: Any = None


async def ask(client: OutboundClient, url: str, **options: Any) -> Answer:
    """Return the JSON at a URL with the meaning of the status. Never raise: every error is an outcome."""
    host = urlsplit(url).hostname
    try:
        reply: Reply = await client.get(url, **options)
    except Unreachable as error:
        log.warning("provider failed", host=host, why=str(error))
        return Answer(Outcome.BROKEN)
    other = Outcome.NOTHING if 400 <= reply.status < 500 else Outcome.BROKEN
    outcome = STATUSES.get(reply.status, other)
    if outcome is Outcome.ANSWER:
        return Answer(outcome, reply.body)
    if outcome is not Outcome.PENDING:
        log.info("provider did not answer", host=host, status=reply.status)
    return Answer(outcome)
