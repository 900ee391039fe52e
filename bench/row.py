"""Results of measurements, and the rows that they fill."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack import Stack


@dataclass(frozen=True)
class Result:
    """One measurement, or the medians of several. Times in milliseconds, CPU in microseconds a request."""

    per_second: float = 0
    p50: float = 0
    p99: float = 0
    most: float = 0
    service_cpu: float = 0
    database_cpu: float = 0
    refused: int = 0
    """Responses other than 2xx and 3xx."""
    broken: int = 0
    """Failed connections, and responses that did not arrive."""
    extras: Mapping[str, float] = field(default_factory=dict)
    """Further figures, by their name and unit."""

    @property
    def errors(self) -> int:
        return self.refused + self.broken

    @property
    def cpu(self) -> float:
        """Return the CPU time of service and database."""
        return self.service_cpu + self.database_cpu

    def figures(self) -> dict[str, float]:
        """Return what was measured, by name."""
        named = {
            "requests/s": self.per_second,
            "p50 ms": self.p50,
            "p99 ms": self.p99,
            "max ms": self.most,
            "service µs": self.service_cpu,
            "database µs": self.database_cpu,
            **self.extras,
        }
        return {name: value for name, value in named.items() if value}


Measure = Callable[[float], Result]
"""Measures for a number of seconds."""


@dataclass(frozen=True)
class Goal:
    """The bounds of a figure: what is required, and what is desired."""

    least: float
    aim: float
    unit: str = ""
    more: bool = True
    """Whether more is better."""

    def reached(self, value: float) -> str:
        for name, bound in (("aim", self.aim), ("least", self.least)):
            if value >= bound if self.more else value <= bound:
                return name
        return "no"

    def shown(self, value: float) -> str:
        return f"{value:.0f}{self.unit}" if abs(value) >= 10 else f"{value:.2f}{self.unit}"

    @property
    def bounds(self) -> list[str]:
        sign = "≥" if self.more else "≤"
        return [f"{sign} {bound:g}{self.unit}" for bound in (self.least, self.aim)]


@dataclass(frozen=True)
class Figure:
    """A number that has a bound. With `of_limit`, the ratio of the row to its limit."""

    name: str
    by: Callable[[Result], float]
    goal: Goal
    of_limit: bool = False
    limit_is: float = 1
    """What the limit counts for: a time on a machine where the limit takes this is comparable with its bound."""

    def value(self, results: Sequence[Result], limits: Sequence[Result]) -> float:
        """Return the median. A ratio is that of results that are neighbours in time."""
        if not self.of_limit:
            return statistics.median(map(self.by, results))
        pairs = zip(results, limits, strict=True)
        return self.limit_is * statistics.median(
            self.by(ours) / (self.by(theirs) or 1) for ours, theirs in pairs
        )


@dataclass(frozen=True)
class Row:
    """What is measured, the least work that gives the same result, and the figures that have bounds."""

    name: str
    measure: Measure
    figures: Sequence[Figure] = ()
    limit: Measure | None = None
    limit_name: str = ""
    longer: float = 1
    """How many times as long as other rows it is measured."""


Part = Callable[["Stack"], AbstractContextManager[list[Row]]]
"""Starts what some rows of the table need, and yields these rows."""


def in_turn(measures: Sequence[Measure], *, rounds: int, seconds: float) -> list[list[Result]]:
    """Measure A B, A B, A B, so that what disturbs the machine disturbs all. Return a list for each."""
    found: list[list[Result]] = [[] for _ in measures]
    for measure in measures:
        measure(1)  # connections, caches, compiled statements
    for _ in range(rounds):
        for number, measure in enumerate(measures):
            found[number].append(measure(seconds / rounds))
    return found


def middle(found: Sequence[Result]) -> Result:
    """Return the median of each figure. Errors add up, and the maximum is that of all."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in found))

    medians = {one.name: median(one.name) for one in fields(Result) if one.type is float}
    extras = {name: statistics.median(one.extras[name] for one in found) for name in found[0].extras}
    return Result(
        **medians | {"most": max(one.most for one in found)},
        refused=sum(one.refused for one in found),
        broken=sum(one.broken for one in found),
        extras=extras,
    )
