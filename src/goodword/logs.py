"""Logs: one structured line for each thing worth knowing, with the request id on it.

They are kept and copied by others, so what stands in them is an allow-list: fields that are named here, and of an
exception where it came from, without its text, which may quote what was sent.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

request_id_var: ContextVar[str] = ContextVar("current_request")
"""The id of the request that is being answered."""

FIELDS = frozenset(
    {
        *("event", "level", "logger", "timestamp", "request_id", "exception"),
        *("method", "route", "status", "ms"),
        *("kind", "id", "attempt", "error", "sqlstate"),
        *("provider", "host", "why", "seconds"),
        *("letter", "files", "rows", "people", "line"),
    }
)
"""What a line may hold. A new field belongs here only if nothing that somebody sent can stand in it."""
MAX_LENGTH = 300
HIDDEN = "(hidden)"
TRUSTED_LOGGERS = ("uvicorn", "alembic")
"""Libraries whose lines are told whole: they name ports, processes and migrations. Of others, only what stands in
their source: the text without what it is filled with, and without further lines."""


def _add_request_id(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    if request_id := request_id_var.get(None):
        event["request_id"] = request_id
    return event


def _generalise(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    if record.name.partition(".")[0] not in TRUSTED_LOGGERS:
        event["event"] = (str(record.msg).splitlines() or [""])[0][:MAX_LENGTH]
    return event


def _outline_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_outline(error))
    return event


def _outline(error: BaseException) -> Iterator[str]:
    """The traceback of an exception and of what led to it: places and kinds, neither texts nor local variables."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _outline(before)
        yield "and then"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield "one of which"
            yield from _outline(each)


def _keep_fields(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        is_plain = value is None or isinstance(value, bool | int | float | str)
        is_long = isinstance(value, str) and len(value) > MAX_LENGTH and name != "exception"
        if name not in FIELDS or not is_plain or is_long:
            event[name] = HIDDEN
    return event


def configure_logging(style: Literal["console", "json"]) -> None:
    """Send our lines and those of libraries to standard error, in one form."""
    shared: list[Processor] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _generalise],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _outline_exception,
                _keep_fields,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it writes a line for each request that goes out
    logging.raiseExceptions = False  # a full disk or a closed pipe under the log must not disturb a request
