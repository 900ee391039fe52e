"""One test over many cases that lists every case that fails, where a parametrized test would be many tests."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self


class Sweep:
    """Collects the failures of its cases and fails at the end of the block with all of them.

    with Sweep() as sweep:
        for path in paths:
            with sweep.case(path):
                assert path.exists()
    """

    def __init__(self) -> None:
        self.cases = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            assert self.cases, "the sweep has no cases"
            assert not self.failures, "\n".join([f"{len(self.failures)} of {self.cases}:", *self.failures])

    @contextmanager
    def case(self, name: object) -> Iterator[None]:
        self.cases += 1
        try:
            yield
        except AssertionError as error:
            line = next(
                (frame.lineno for frame in reversed(inspect.getinnerframes(error.__traceback__))), None
            )
            self.failures.append(f"- {name} (line {line}): {error}")
