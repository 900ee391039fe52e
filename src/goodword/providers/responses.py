"""What the status of an answer means. Hunter and Clearbit agree on all of them, where they use them."""

from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from goodword.http_client import Outside, Reply, Unreachable

log = structlog.get_logger("goodword.providers")


class Said(StrEnum):
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
    200: Said.ANSWER,
    202: Said.PENDING,
    222: Said.FAILED,
    401: Said.KEY_REFUSED,
    402: Said.THROTTLED,
    403: Said.THROTTLED,
    408: Said.BROKEN,
    429: Said.THROTTLED,
    451: Said.RESTRICTED,
}


class Finding(NamedTuple):
    """How a question went, and what came of it: `what` only with an answer."""

    said: Said
    what: Any = None


async def ask(outside: Outside, url: str, **options: Any) -> Finding:
    """The JSON at an address, and what its status means. Never raises: every fault is one of theirs."""
    try:
        reply: Reply = await outside.get(url, **options)
    except Unreachable as error:
        log.warning("provider failed", host=urlsplit(url).hostname, why=str(error))
        return Finding(Said.BROKEN)
    other = Said.NOTHING if 400 <= reply.status < 500 else Said.BROKEN
    said = STATUSES.get(reply.status, other)
    if said is not Said.ANSWER and said is not Said.PENDING:
        log.info("provider did not answer", host=urlsplit(url).hostname, status=reply.status)
    return Finding(said, reply.body) if said is Said.ANSWER else Finding(said)
