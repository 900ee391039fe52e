"""The entries of `safeguards` are up to date. `make mutants`, which takes minutes, runs their tests."""

import ast
import re
from pathlib import Path

import pytest

from mutants import changed_modules, safeguards
from mutations import Mutation
from serving import ROOT

SAFEGUARDS = safeguards()


def test_every_mutation_changes_its_symbol():
    failures = []
    for safeguard in SAFEGUARDS:
        try:
            changed_modules(safeguard.mutations)
        except ValueError as error:
            failures.append(f"{safeguard.name}: {error}")

    assert not failures, "\n".join(failures)


def test_every_killing_test_exists():
    named = {test for safeguard in SAFEGUARDS for test in safeguard.killed_by}
    functions = {file: functions_of(ROOT / file) for file in {name.partition("::")[0] for name in named}}

    def exists(name: str) -> bool:
        file, _, function = name.partition("::")
        return not function or re.sub(r"\[.*", "", function) in functions[file]

    assert all(safeguard.killed_by for safeguard in SAFEGUARDS)
    assert [name for name in sorted(named) if not exists(name)] == []


def test_names_are_unique():
    names = [safeguard.name for safeguard in SAFEGUARDS]
    assert len(names) == len(set(names))
    assert 60 <= len(names) <= 250


@pytest.mark.parametrize(
    "mutation",
    [
        Mutation("goodword.codes.service:get", "remove_call", "nothing_of_the_kind"),
        Mutation("goodword.codes.service:nothing_of_the_kind", "remove_call", "record"),
        Mutation("goodword.nothing_of_the_kind", "remove_call", "record"),
    ],
    ids=lambda mutation: mutation.symbol,
)
def test_a_mutation_that_finds_nothing_is_an_error(mutation):
    with pytest.raises(ValueError, match=r"nothing_of_the_kind|get"):
        changed_modules([mutation])


def functions_of(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }
