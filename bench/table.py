"""The table: what was measured, against what, and whether that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass

from wrk import Figures


@dataclass(frozen=True)
class Goal:
    """The least that will do, and what we aim at."""

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


NEVER = Goal(0, 0)
"""For what is shown beside the rest, and has no bound."""

HEAD = ("what", "requests/s", "p50 ms", "p99 ms", "service µs", "database µs", "errors")
FIGURE = ("of what", "by CPU", "figure", "least", "aim", "reached")


def line(
    what: str, found: Figures | None, of: str, value: float | None, goal: Goal, limit: Figures | None = None
) -> list[str]:
    """A row. The figure is `value`, compared with `of`, which is `limit` if that has figures as well."""
    row = [what, *(_figures(found) if found else [""] * 6), of]
    by_cpu = found and limit and found.service_cpu and limit.service_cpu / found.service_cpu
    row.append(f"{by_cpu:.2f}" if by_cpu else "")
    if value is None:
        return [*row, "", "", "", ""]
    return [*row, goal.shown(value), *goal.bounds, goal.reached(value)]


def render(rows: Sequence[Sequence[str]], head: Sequence[str] = HEAD + FIGURE) -> str:
    """Markdown, in columns that can be read as they are."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]

    def text(row: Sequence[str], fill: str = " ") -> str:
        cells = [
            cell.ljust(width, fill) if n == 0 or fill != " " else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    return "\n".join([text(head), text([""] * len(head), "-"), *map(text, rows)])


def _figures(found: Figures) -> list[str]:
    return [
        f"{found.per_second:.0f}",
        f"{found.p50:.1f}" if found.p50 else "",
        f"{found.p99:.1f}" if found.p99 else "",
        f"{found.service_cpu:.0f}" if found.service_cpu else "",
        f"{found.database_cpu:.0f}" if found.database_cpu else "",
        str(found.errors),
    ]
