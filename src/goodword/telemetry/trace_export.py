"""Spans of OpenTelemetry, sent by OTLP over HTTP. Imported only if OTLP_ENDPOINT is set.

The spans have only the attributes that this package gives them. The instrumentations of OpenTelemetry would add paths,
queries, addresses of clients and messages of errors.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from threading import Thread
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from goodword import __version__
from goodword.telemetry import tracing
from goodword.telemetry.tracing import Attributes

EXPORT_SECONDS = 2.0
"""For a request to the collector."""
CLOSE_SECONDS = 3.0
"""For the last requests. A collector that is away must not delay the end of a process."""
_W3C = TraceContextTextMapPropagator()


class Tracing:
    """The traces of a process. Its thread begins with the first span, after the processes of a node are forked."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    @cached_property
    def _provider(self) -> TracerProvider:
        provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.name": "goodword",
                    "service.version": __version__,
                    "service.instance.id": str(uuid4()),
                }
            ),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=f"{self._endpoint}/v1/traces", timeout=EXPORT_SECONDS)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return provider

    @cached_property
    def _tracer(self) -> Tracer:
        return self._provider.get_tracer("goodword", __version__)

    @contextmanager
    def span(
        self, name: str, kind: SpanKind, attributes: Attributes, *, continues: str | None
    ) -> Iterator[Span]:
        """Record a request or a job. `continues` is a `traceparent` that may be invalid, or None."""
        # Of the header `tracestate`, which can be any text, nothing is taken.
        parent = _W3C.extract({"traceparent": continues}) if continues else None
        span = self._tracer.start_span(name, parent, kind, attributes)
        with _Active(self._tracer, span).entered():
            yield span

    def job(self, kind: str, attempt: int, *, continues: str | None) -> AbstractContextManager[Span]:
        """Record an attempt of a job, in the trace of the request that added it."""
        attributes: Attributes = {"goodword.job.kind": kind, "goodword.job.attempt": attempt}
        return self.span(f"job {kind}", SpanKind.CONSUMER, attributes, continues=continues)

    def close(self) -> None:
        """Send what is left, and wait for it, but not long."""
        if "_provider" in vars(self):
            # A thread that the end of the process does not wait for: there may be a request for each 512 spans.
            sending = Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            sending.join(CLOSE_SECONDS)


class _Active:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer, self._span = tracer, span
        self._context = set_span_in_context(span)

    @property
    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, self._context)
        return carrier["traceparent"]

    @contextmanager
    def child(self, name: str, attributes: Attributes) -> Iterator[Span]:
        span = self._tracer.start_span(name, self._context, SpanKind.CLIENT, attributes)
        with _Active(self._tracer, span).entered():
            yield span

    @contextmanager
    def entered(self) -> Iterator[None]:
        token = tracing.active.set(self)
        try:
            yield
        except BaseException as error:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(StatusCode.ERROR)
            raise
        finally:
            tracing.active.reset(token)
            self._span.end()
