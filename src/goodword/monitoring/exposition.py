"""The text that Prometheus reads."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from goodword import __version__
from goodword.monitoring import access, database_totals, gauges
from goodword.monitoring.database_totals import Sample
from goodword.services import Services
from goodword.telemetry.metrics import BUCKETS, COUNTERS, GAUGES, HISTOGRAMS, Family, Key

BUILD_INFO = Family("goodword_build_info", "The version that runs.", ("version", "python", "database"))
REDIS_UP = Family("goodword_cache_redis_up", "Whether Redis answers; it is missing without REDIS_URL.")
REQUESTS = Family("goodword_http_requests", "Requests.", HISTOGRAMS[0].labels)
FAMILIES = (
    *COUNTERS,
    *HISTOGRAMS,
    *GAUGES,
    REQUESTS,
    BUILD_INFO,
    REDIS_UP,
    *database_totals.FAMILIES,
    database_totals.DATABASE_UP,
)


def render(services: Services, totals: Sequence[Sample], accept: str = "") -> tuple[bytes, str]:
    """Return the metrics in the format that `accept` asks for, and its content type."""
    gauges.publish(services)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([*_families(services), *_gauges(services, totals)]))
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # raised by the library for a version that is not of numbers
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Collected(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _families(services: Services) -> Iterator[Metric]:
    totals = services.metrics.totals()
    for family in COUNTERS:
        yield _filled(CounterMetricFamily, family, _of(family, totals))
    for family in GAUGES:
        yield _filled(GaugeMetricFamily, family, _of(family, totals))
    durations = _of(HISTOGRAMS[0], totals)
    yield _filled(CounterMetricFamily, REQUESTS, {key: [sum(row[:-1])] for key, row in durations.items()})
    histogram = HistogramMetricFamily(HISTOGRAMS[0].name, HISTOGRAMS[0].help, labels=HISTOGRAMS[0].labels)
    for labels, row in durations.items():
        counted = 0.0
        buckets = []
        for limit, number in zip((*map(str, BUCKETS), "+Inf"), row, strict=False):
            counted += number
            buckets.append((limit, counted))
        histogram.add_metric([*map(str, labels)], buckets, row[-1])
    yield histogram


def _gauges(services: Services, totals: Sequence[Sample]) -> Iterator[Metric]:
    database = "sqlite" if services.database.is_sqlite else "postgresql"
    python = ".".join(map(str, sys.version_info[:3]))
    samples: list[Sample] = [*totals, (BUILD_INFO, (__version__, python, database), 1)]
    if (is_up := services.cache.is_redis_available()) is not None:
        samples.append((REDIS_UP, (), is_up))
    by_family: dict[Family, dict[Key, list[float]]] = {}
    for family, labels, value in samples:
        by_family.setdefault(family, {})[labels] = [value]
    for family, rows in by_family.items():
        yield _filled(GaugeMetricFamily, family, rows)


def _of(family: Family, totals: Mapping[Key, list[float]]) -> dict[Key, list[float]]:
    return {key[1:]: row for key, row in totals.items() if key[0] == family.name}


def _filled(kind: Any, family: Family, rows: Mapping[Key, list[float]]) -> Metric:
    metric: Metric = kind(family.name, family.help, labels=family.labels)
    for labels, row in (rows or ({} if family.labels else {(): [0.0]})).items():
        metric.add_metric([*map(str, labels)], row[0])  # type: ignore[attr-defined]
    return metric


def answer_scrape(services: Services, request: bytes, peer: str) -> tuple[str, str, bytes]:
    """Return the status, the content type and the body for a request to a worker. It has no totals of the database."""
    lines = (line.partition(":") for line in request.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value.strip() for name, _, value in lines if name}
    if error := access.refusal(services.settings, peer, headers):
        return f"{error.status} {error.title}", "application/json", b'{"code":"%s"}' % error.code.encode()
    content, content_type = render(services, (), headers.get("accept", ""))
    return "200 OK", content_type, content
