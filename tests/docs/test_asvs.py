"""docs/asvs.md: every requirement has a row, every test and document that it names is there, and the counts are true."""

import ast
import re
from collections import Counter
from functools import cache

from serving import ROOT
from sweeps import Sweep

DOCS = ROOT / "docs"
PAGE = (DOCS / "asvs.md").read_text()
STATES = ("met", "partly", "not applicable", "not met")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| V\d", line)
]
LEVELS = {
    1: """
        1.2.1-5 1.3.1-2 1.5.1 2.1.1 2.2.1-2 2.3.1 3.2.1-2 3.3.1 3.4.1-2 3.5.1-3 4.1.1 4.4.1 5.2.1-2 5.3.1-2
        6.1.1 6.2.1-8 6.3.1-2 6.4.1-2 7.2.1-4 7.4.1-2 8.1.1 8.2.1-2 8.3.1 9.1.1-3 9.2.1 10.4.1-5 11.3.1-2
        11.4.1 12.1.1 12.2.1-2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1 15.3.1
    """,
    2: """
        1.1.1-2 1.2.6-9 1.3.3-11 1.4.1-3 1.5.2 2.1.2-3 2.2.3 2.3.2-4 2.4.1 3.3.2-4 3.4.3-6 3.5.4-5 3.7.1-2
        4.1.2-3 4.2.1 4.3.1-2 4.4.2-4 5.1.1 5.2.3 5.4.1-3 6.1.2-3 6.2.9-12 6.3.3-4 6.4.3-4 6.5.1-5 6.6.1-3
        6.8.1-4 7.1.1-3 7.3.1-2 7.4.3-5 7.5.1-2 7.6.1-2 8.1.2 8.2.3 8.4.1 9.2.2-4 10.1.1-2 10.2.1-2 10.3.1-4
        10.4.6-11 10.5.1-5 10.6.1-2 10.7.1-3 11.1.1-2 11.2.1-3 11.3.3 11.4.2-4 11.5.1 11.6.1 12.1.2-3
        12.3.1-4 13.1.1 13.2.1-5 13.3.1-2 13.4.2-5 14.1.1-2 14.2.2-4 14.3.2-3 15.1.2-3 15.2.2-3 15.3.2-7
        16.1.1 16.2.1-5 16.3.1-4 16.4.1-3 16.5.1-3 17.1.1 17.2.1-4 17.3.1-2
    """,
}
"""The requirements of version 5.0.0 by the level that they first belong to; 3 is not looked at."""


def known():
    """Each requirement, as three numbers, with its level."""
    for level, spans in LEVELS.items():
        for span in spans.split():
            section, _, numbers = span.rpartition(".")
            first, _, last = numbers.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield (*map(int, section.split(".")), number), level


KNOWN = dict(known())


def covered(row):
    """The requirements of a row: one, or all of a level looked at from the first one that it names to the last."""
    first, _, last = row[0].replace("V", "").partition("–")
    start, end = (tuple(map(int, text.split("."))) for text in (first, last or first))
    return [requirement for requirement in KNOWN if start <= requirement <= end]


@cache
def functions_of(path):
    return {
        node.name.removeprefix("test_")
        for node in ast.walk(ast.parse((ROOT / "tests" / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_requirement_is_there_once():
    assert {level: list(KNOWN.values()).count(level) for level in LEVELS} == {1: 70, 2: 183}
    assert Counter(one for row in ROWS for one in covered(row)) == Counter(list(KNOWN))


def test_a_row_says_what_is_so():
    with Sweep() as sweep:
        for name, levels, asked, state, why in ROWS:
            row = [name]
            tests = re.findall(r"`([\w/]+\.py)`: ([\w, ]+)", why)
            documents = re.findall(r"\]\(([^)#]+)", why)
            with sweep.case(name):
                assert state in STATES
                assert levels == ", ".join(
                    str(level) for level in sorted({KNOWN[one] for one in covered(row)})
                )
                assert asked
                assert why
                assert tests or documents or state != "met"
                for path, names in tests:
                    assert (ROOT / "tests" / path).is_file(), path
                    assert set(names.strip().split(", ")) <= functions_of(path), path
                for path in documents:
                    assert path.startswith("https://") or (DOCS / path).exists(), path


def test_the_counts_are_those_of_the_rows():
    counted = Counter((row[3], KNOWN[one]) for row in ROWS for one in covered(row))
    table = re.findall(r"^\| (level 1|level 2|both) \| (.+) \|$", PAGE, re.MULTILINE)

    for (name, shown), levels in zip(table, ([1], [2], [1, 2]), strict=True):
        numbers = [sum(counted[state, level] for level in levels) for state in STATES]
        assert [int(number) for number in shown.split(" | ")] == [*numbers, sum(numbers)], name
