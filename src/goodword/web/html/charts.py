"""Bar charts as SVG with classes, because the policy of the pages forbids styles in the markup."""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

WIDTH, HEIGHT, GAP = 720, 160, 4
ROUND = (1, 2, 5)


class Bar(NamedTuple):
    """The bar of a day, in units of the picture, with the part at its foot."""

    x: int
    height: int
    part: int


class Chart(NamedTuple):
    bars: Sequence[Bar]
    """Without height for zero."""
    top: int
    """The value at the end of the axis."""
    step: int
    bar_width: int
    width: int = WIDTH
    height: int = HEIGHT


def build(values: Sequence[tuple[int, int]]) -> Chart:
    """Return the chart of totals and their parts. A value above zero has at least two units of height."""
    top = axis_end(max(total for total, _ in values))
    step = WIDTH // len(values)

    def height(value: int) -> int:
        return max(round(value * HEIGHT / top), 2) if value else 0

    bars = [
        Bar(number * step, height(total), height(min(part, total)))
        for number, (total, part) in enumerate(values)
    ]
    return Chart(bars, top, step, step - GAP)


def axis_end(most: int) -> int:
    """Return the smallest number of the form 1, 2 or 5 times a power of ten that is at least `most`, and even."""
    ends = (int(digit * 10**power) for power in count() for digit in ROUND)
    return next(end for end in ends if end >= most and end % 2 == 0)
