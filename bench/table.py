"""The tables: a run against the limits, and a comparison of two commits."""

import statistics
from collections.abc import Iterable, Iterator, Sequence

from row import Result, Row, middle

HEAD = ("what", "requests/s", "p50 ms", "p99 ms", "max ms", "service µs", "database µs", "errors")
FIGURE = ("by CPU", "figure", "value", "least", "aim", "reached")
COMPARED = ("what", "figure", "before", "after", "after / before")
Lines = Iterable[list[str]]


def lines(row: Row, results: Sequence[Result], limits: Sequence[Result]) -> Iterator[list[str]]:
    """Return the line of a row, one for each further figure, and that of its limit."""
    ours, theirs = middle(results), middle(limits) if limits else None
    figures = [
        [figure.name, figure.goal.shown(value), *figure.goal.bounds, figure.goal.reached(value)]
        for figure in row.figures
        for value in [figure.value(results, limits)]
    ] or [[""] * 5]
    by_cpu = f"{theirs.service_cpu / ours.service_cpu:.2f}" if theirs and theirs.service_cpu else ""
    yield [row.name, *_measured(ours), by_cpu, *figures[0]]
    for figure in figures[1:]:
        yield ["  〃", *[""] * (len(HEAD) - 1), "", *figure]
    if theirs:
        yield [f"· {row.limit_name}", *_measured(theirs), *[""] * len(FIGURE)]


def compared(row: Row, before: Sequence[Result], after: Sequence[Result]) -> Iterator[list[str]]:
    """Return a line for each figure: the medians, and the median of the ratios of neighbours in time."""
    pairs = [(one.figures(), other.figures()) for one, other in zip(before, after, strict=True)]
    for name in pairs[0][0]:
        known = [(one[name], other[name]) for one, other in pairs if name in one and name in other]
        if known:
            old, new = (statistics.median(values) for values in zip(*known, strict=True))
            ratio = statistics.median(other / one for one, other in known)
            yield [row.name, name, f"{old:.4g}", f"{new:.4g}", f"{ratio:.2f}"]
    errors = [sum(one.errors for one in results) for results in (before, after)]
    if any(errors):
        yield [row.name, "errors", *map(str, errors), ""]


def render(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Return Markdown with columns that are aligned in the source too."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]

    def text(row: Sequence[str], fill: str = " ") -> str:
        cells = [
            cell.ljust(width, fill) if n == 0 or fill != " " else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    return "\n".join([text(head), text([""] * len(head), "-"), *map(text, rows)])


def _measured(found: Result) -> list[str]:
    return [
        f"{found.per_second:.0f}" if found.per_second else "",
        *(f"{time:.1f}" if time else "" for time in (found.p50, found.p99, found.most)),
        *(f"{cpu:.0f}" if cpu else "" for cpu in (found.service_cpu, found.database_cpu)),
        str(found.errors) if found.per_second else "",
    ]
