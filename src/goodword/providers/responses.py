"""What the status of an answer means. Hunter and Clearbit agree on all of them, where they use them."""

from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from goodword.http_client import OutboundClient, Reply, Unreachable

log = structlog.get_logger("goodword.providers")


class Outcome(StrEnum):
    ANSWER = "answer"
    PENDING = "pending"
    """It is still finding out: ask again (202)."""
    FAILED = "failed"
    """It could not find out: the mail server of the address was odd (222, a failure although it is 2xx)."""
    NOTHING = "nothing"
    """It has nothing to say, and will not have next time."""
    RESTRICTED = "restricted"
    """The person has forbidden to process this address, ever (451)."""
    THROTTLED = "throttled"
    """Too fast, or the plan is used up: Hunter says 403 and 429, and its words for the two differ."""
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
    """How a question went, and what came of it: `what` only with an answer."""

    said: Outcome
    what: Any = None


async def ask(outside: OutboundClient, url: str, **options: Any) -> Answer:
    """The JSON at an address, and what its status means. Never raises: every fault is one of theirs."""
    try:
        reply: Reply = await outside.get(url, **options)
    except Unreachable as error:
        log.warning("provider failed", host=urlsplit(url).hostname, why=str(error))
        return Answer(Outcome.BROKEN)
    other = Outcome.NOTHING if 400 <= reply.status < 500 else Outcome.BROKEN
    said = STATUSES.get(reply.status, other)
    if said is not Outcome.ANSWER and said is not Outcome.PENDING:
        log.info("provider did not answer", host=urlsplit(url).hostname, status=reply.status)
    return Answer(said, reply.body) if said is Outcome.ANSWER else Answer(said)
