"""docs/cases.md: each case has a test, and each test that it names is there."""

import ast
import re

from serving import ROOT
from sweeps import Sweep

TESTS = ROOT / "tests"
ROWS = [
    [cell.strip() for cell in line.split(" | ")]
    for line in (ROOT / "docs" / "cases.md").read_text().splitlines()
    if re.match(r"\| [A-H]\d\d \|", line)
]
CASES = {
    "A": "1-15 17-20 22 25-30",
    "B": "1-4 6-8 10-13 15 18-20 22-29",
    "C": "1-8 11-15 17-19 21-27",
    "D": "1-4 6-7 9-11 13-21",
    "E": "1-4 6-10 12-13 15 39-41 43-45 70-92",
    "F": "1-3 5-8 10-11 13",
}
"""Every case that we know of, by section: a row that is lost is missed."""


def numbered():
    for section, spans in CASES.items():
        for span in spans.split():
            first, _, last = span.partition("-")
            for number in range(int(first), int(last or first) + 1):
                yield f"{section}{number:02}"


def functions_of(path):
    return {
        node.name.removeprefix("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_case_is_there_once():
    found = [row[0].strip("| ") for row in ROWS]

    assert len(found) == len(set(found))
    assert set(numbered()) <= set(found)


def test_a_case_has_tests_that_are_there():
    with Sweep() as sweep:
        for row in ROWS:
            named = re.findall(r"`([\w/.]+)`: ([\w, ]+)", row[-1])
            with sweep.case(row[0]):
                assert named
                for path, names in named:
                    assert set(names.strip().split(", ")) <= functions_of(TESTS / path), path
