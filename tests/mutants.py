"""Mutation tests of the safeguards: take one out of a copy of the service, and some test must fail.

`safeguards/*.toml` lists the safeguards. Each entry has a name, the symbol that holds the safeguard, the operator of
`mutations.py` that takes it out, and the tests that fail then (`killed_by`). `also` lists further mutations for a
safeguard that stands behind another. A test must fail by an assertion: an error on the way there proves nothing.

    make mutants                            all of them, two at once
    make mutants ARGS="refresh oauth"       those with one of these words in their name or symbol
"""

import ast
import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import time
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

from mutations import OPERATORS, Mutation, mutated

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
TABLES = Path(__file__).parent / "safeguards"
PROCESSES = 2
SECONDS = 180
"""Time limit for the tests of one safeguard."""
SECONDS_IN_ALL = 900
"""Time limit for all tests against the unchanged service."""
PLUGINS = ("--disable-plugin-autoload", "-p", "anyio", "-p", "no:cacheprovider")
"""Only the plugin that the tests need: loading the others takes longer than a test."""
IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True)
class Safeguard:
    name: str
    mutations: tuple[Mutation, ...]
    killed_by: tuple[str, ...]
    on: str
    """The database on which its tests run."""


def safeguards() -> list[Safeguard]:
    return [
        Safeguard(
            name,
            tuple(_mutation(entry) for entry in (about, *about.get("also", ()))),
            tuple(f"tests/{test}" for test in about["killed_by"]),
            about.get("on", "sqlite"),
        )
        for table in sorted(TABLES.glob("*.toml"))
        for name, about in tomllib.loads(table.read_text()).items()
    ]


def _mutation(entry: Mapping[str, Any]) -> Mutation:
    (operator,) = entry.keys() & OPERATORS.keys()
    value = entry[operator] if operator == "set_value" else entry.get("with")
    return Mutation(entry["symbol"], operator, entry[operator], value, entry.get("mentions"))


def changed_modules(mutations: Sequence[Mutation]) -> dict[Path, str]:
    """Return the modules that change, by their path below `src`. Raises `ValueError`."""
    edited: dict[Path, ast.Module] = {}
    for mutation in mutations:
        mutated(mutation, SOURCE, edited)
    return {file.relative_to(SOURCE): ast.unparse(tree) for file, tree in edited.items()}


@contextmanager
def without(safeguard: Safeguard) -> Iterator[Path]:
    """Yield a folder with a copy of the service that lacks the safeguard."""
    with TemporaryDirectory(prefix="goodword-mutant-") as folder:
        shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for file, text in changed_modules(safeguard.mutations).items():
            Path(folder, file).write_text(text)
        yield Path(folder)


def run(
    source: Path, tests: Sequence[str], *, on: str, limit: float = SECONDS, options: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """Run tests against the service of that folder. Return the outcome in a word, and the reason of each failure."""
    other = {"sqlite": "postgres", "postgres": "sqlite"}[on]
    with TemporaryDirectory(prefix="goodword-mutant-") as folder:
        report, output = Path(folder, "report.xml"), Path(folder, "output")
        child = os.fork()
        if child == 0:
            chosen = [*options, "-k", f"not {other}", *tests]
            _test(source, output, [*PLUGINS, "-W", IMPORTED, f"--junitxml={report}", *chosen])
        code = _wait(child, limit)
        if code == 0:
            return "passes", []
        if code is None:
            return "hangs", []
        cases = ET.parse(report).iter("testcase") if report.exists() else ()
        failed = [
            (f"{case.get('name')}: {problem.get('message', '')}", is_assertion(problem))
            for case in cases
            for problem in case
            if problem.tag in ("failure", "error")
        ]
        reasons = [reason for reason, _ in failed] or [output.read_text()[-2000:]]
    return "fails" if any(by_assertion for _, by_assertion in failed) else "breaks", reasons


def _test(source: Path, output: Path, arguments: list[str]) -> NoReturn:
    """Run the tests in this process, which was forked for it."""
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.path.insert(0, str(source))
        os.environ["PYTHONPATH"] = str(source)  # for tests that start the service in a process of its own
        os.chdir(ROOT)
        import pytest

        code = pytest.main(arguments)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  this process must not continue as its parent does
        traceback.print_exc()
        code = 70
    os._exit(code)


def _wait(child: int, limit: float) -> int | None:
    """Return the exit code of a process, or None if it had to be killed."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def is_assertion(problem: ET.Element) -> bool:
    """Return whether a test failed by an assertion. `pytest.raises` says "DID NOT RAISE"."""
    reason = problem.get("message", "")
    return problem.tag == "failure" and reason.startswith(
        ("assert", "AssertionError", "Failed: DID NOT RAISE")
    )


def load_libraries() -> None:
    """Import the libraries once, before the forks: importing takes most of the time of a run."""
    for file in sorted((SOURCE / "goodword").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                if not name.startswith("goodword"):
                    importlib.import_module(name)


def passes_unchanged(chosen: Sequence[Safeguard]) -> bool:
    for kind in ("sqlite", "postgres"):
        tests = list(dict.fromkeys(test for one in chosen if one.on == kind for test in one.killed_by))
        if tests:
            word, reasons = run(SOURCE, tests, on=kind, limit=SECONDS_IN_ALL)
            print(f"Unchanged service, {len(tests)} tests on {kind}: {word}", *reasons, sep="\n", flush=True)
            if word != "passes":
                return False
    return True


def is_killed(safeguard: Safeguard) -> bool:
    began = time.monotonic()
    try:
        with without(safeguard) as source:
            word, reasons = run(source, safeguard.killed_by, on=safeguard.on, options=["-x"])
    except ValueError as error:
        word, reasons = "is not found", [str(error)]
    mark = "killed" if word == "fails" else word.upper()
    details = [reasons[0].partition(":")[0]] if word == "fails" else reasons
    took = f"{time.monotonic() - began:.1f} s"
    print(f"{mark:9} | {safeguard.name:75} | {took:>7} | {' '.join(details)}", flush=True)
    return word == "fails"


def main(words: Sequence[str]) -> int:
    chosen = [
        one
        for one in safeguards()
        if not words or any(word in f"{one.name} {one.mutations[0].symbol}" for word in words)
    ]
    if not chosen:
        print("No safeguard has one of these words in its name or symbol.")
        return 1
    began = time.monotonic()
    load_libraries()
    if not passes_unchanged(chosen):
        return 1
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        killed = sum(pool.imap_unordered(is_killed, chosen))
    print(f"{killed} of {len(chosen)} safeguards are killed, in {time.monotonic() - began:.0f} s.")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
