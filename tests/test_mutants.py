"""The table of safeguards is up to date. Whether tests miss them is asked by `make mutants`, which takes minutes."""

import ast
import re
from pathlib import Path

import pytest

from mutants import Change, mutated, safeguards
from serving import ROOT

PACKAGE = ROOT / "src" / "goodword"
SAFEGUARDS = safeguards()


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda one: one.name)
def test_what_takes_it_out_still_fits(safeguard):
    assert safeguard.changes
    assert mutated(safeguard.changes, PACKAGE)


def test_the_tests_that_miss_them_are_there():
    named = {test for safeguard in SAFEGUARDS for test in safeguard.killed_by}

    assert all(safeguard.killed_by for safeguard in SAFEGUARDS)
    there = {file: functions(ROOT / file) for file in {name.partition("::")[0] for name in named}}
    for name in named:
        file, _, function = name.partition("::")
        assert there[file], name
        assert not function or re.sub(r"\[.*", "", function) in there[file], name


def test_no_two_names_differ_by_their_table_alone():
    names = [safeguard.name for safeguard in SAFEGUARDS]
    assert len(names) == len(set(names)) >= 35


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("Rules about", "Rules"),  # a docstring
        ("  # out of 2^50", "  # out of"),  # a comment
        ("nothing of the kind", ""),
        ("raise CodeNotFound", "pass"),  # in several places
    ],
)
def test_a_change_that_changes_nothing_or_too_much_is_refused(text, becomes):
    with pytest.raises(ValueError, match=r"codes/service\.py"):
        mutated([Change("codes/service.py", text, becomes)], PACKAGE)


def functions(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }
