"""A collector of traces: it takes OTLP over HTTP and keeps the spans."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span(NamedTuple):
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    process: str
    is_error: bool


class Collector:
    def __init__(self) -> None:
        self.url = ""
        self.received = b""
        """All requests, one after the other, as they were sent."""
        self.spans: list[Span] = []

    def take(self, body: bytes) -> None:
        self.received += body
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: pair.value.string_value for pair in part.resource.attributes}
            for scope in part.scope_spans:
                for span in scope.spans:
                    assert not span.events, "an event may contain the message of an error"
                    assert not span.trace_state, "a client chooses it"
                    values = {pair.key: pair.value for pair in span.attributes}
                    attributes = {key: value.string_value or value.int_value for key, value in values.items()}
                    identity = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    process = resource["service.instance.id"]
                    self.spans.append(Span(span.name, *identity, attributes, process, span.status.code == 2))

    def named(self, name: str) -> Span:
        """Return the first span of this name, from those there are."""
        return next(span for span in self.spans if span.name == name)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.take(
                zlib.decompress(body, wbits=31) if self.headers["content-encoding"] == "gzip" else body
            )
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
