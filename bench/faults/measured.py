"""What a figure is measured by."""

from typing import NamedTuple


class Measured(NamedTuple):
    text: str
    is_reached: bool
    """Whether the aim is reached."""


def scaled(number: int, share: float) -> int:
    """Return this share of a number of repetitions, at least two."""
    return max(2, round(number * share))
