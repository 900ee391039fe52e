"""Structured logs without personal data.

Only the fields in `FIELDS` are logged. An exception is logged with its type and traceback but without its message,
which may contain user input.
"""

import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Literal

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, Processor, WrappedLogger

request_id_var: ContextVar[str] = ContextVar("current_request")
"""The id of the current request."""

FIELDS = frozenset(
    {
        *("event", "level", "logger", "timestamp", "request_id", "exception"),
        *("method", "route", "status", "ms"),
        *("kind", "id", "attempt", "error", "sqlstate", "database"),
        *("provider", "host", "why", "seconds"),
        *("message", "files", "rows", "accounts", "line", "count"),
    }
)
"""Fields of a line. Add a field only if it cannot contain user input."""
MAX_LENGTH = 300
HIDDEN = "(hidden)"
TRUSTED_LOGGERS = ("uvicorn", "alembic")
"""Libraries whose messages are logged in full. Of others, only the format string is logged, without arguments."""
MAX_WAITING = 5_000
"""Lines that wait for a reader of standard error. More are dropped and counted."""
FLUSH_SECONDS = 2.0
STDERR = 2

log = structlog.get_logger("goodword.logs")


class LogWriter(logging.Handler):
    """Writes lines to standard error in a thread of its own: a reader that stalls must not stop the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: SimpleQueue[bytes | Event] = SimpleQueue()
        self._dropped = 0
        self._thread = Thread(target=self._write_lines, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  a line must not fail a request
            self.handleError(record)
        else:
            self.write(line)

    def write(self, line: str) -> None:
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        self._lines.put(f"{line}\n".encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Wait until the lines so far are written, or `FLUSH_SECONDS` have passed. Runs at exit too."""
        if not self._thread.is_alive():  # it belongs to the process from which this one was forked
            return
        written = Event()
        self._lines.put(written)
        written.wait(FLUSH_SECONDS)

    def _write_lines(self) -> None:
        # Signals are for the main thread: the supervisor blocks them, and this thread would then end the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            line = self._lines.get()
            if isinstance(line, Event):
                line.set()
                continue
            try:
                # Not by `sys.stderr`, whose lock would then be held while the reader stalls.
                while line:
                    line = line[os.write(STDERR, line) :]
            except OSError:  # a full disk, or no reader any more
                self._dropped += 1
                continue
            if self._dropped and self._lines.qsize() < MAX_WAITING // 2:
                dropped, self._dropped = self._dropped, 0
                log.warning("log lines were dropped: standard error was not read", count=dropped)


class _Lines:
    """Writes the lines of one logger of this program, without the records of `logging`, which take longer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, line: str) -> None:
        # Looked up for each line: a forked process replaces it.
        writer: Any = logging.root.handlers[0]
        writer.write(line)

    info = warning = error = critical = write


def _add_request_id(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    if request_id := request_id_var.get(None):
        event["request_id"] = request_id
    return event


def _drop_arguments(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
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
    """Yield the types and tracebacks of an exception and of its causes, without messages."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _outline(cause)
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


def _as_json(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    try:
        return to_json(event).decode()
    except ValueError:  # a lone surrogate
        return json.dumps(event)


def configure_logging(style: Literal["console", "json"]) -> None:
    """Write the logs of this program and of libraries to standard error, in one format."""
    shared: list[Processor] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor = (
        _as_json if style == "json" else structlog.dev.ConsoleRenderer(colors=os.isatty(STDERR))
    )
    last: list[Processor] = [_outline_exception, _keep_fields, render]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = LogWriter()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _drop_arguments],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("alembic", "httpx2"):  # they log every plugin and step, and every request, at INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    # Not logged, and a quarter of the cost of a line ("Optimization" in Python's logging HOWTO).
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]
    logging.raiseExceptions = False  # a full disk or a closed pipe must not fail a request
