"""The span of the current request or job. Without OTLP_ENDPOINT there is none, and `step` has nothing to do."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Attributes = Mapping[str, str | int]


class Active(Protocol):
    """A span that has not ended."""

    @property
    def traceparent(self) -> str:
        """Return the span in the form of W3C Trace Context."""

    def child(self, name: str, attributes: Attributes) -> AbstractContextManager["Span"]:
        """Record a span within this one. If the block raises, it has the type of the error, not its message."""


active: ContextVar[Active | None] = ContextVar("active", default=None)
NOTHING: AbstractContextManager[None] = nullcontext()


def step(name: str, attributes: Attributes) -> AbstractContextManager["Span | None"]:
    """Record a part of a request or job. Attributes must not contain personal data."""
    parent = active.get()
    return NOTHING if parent is None else parent.child(name, attributes)


def traceparent() -> str | None:
    """Return the current span in the form of W3C Trace Context, to continue its trace in another process."""
    parent = active.get()
    return None if parent is None else parent.traceparent
