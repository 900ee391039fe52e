"""Proof that the tests bite: take one safeguard out of a copy of the service, and some test must fail.

The safeguards stand in `safeguards/*.toml`, a file for each part of the service: each with its name in plain words,
the changes that take it out (file, text that occurs there once, what replaces it), and the tests that notice. A
test must fail by what it asserts: an error on the way there proves nothing. Where one safeguard stands behind another, both
are taken out, and a comment in the table says so.

    make mutants                              all of them
    make mutants ARGS="refresh 'owner of a'"  those with one of these words in their name or file
"""

import ast
import importlib
import os
import shutil
import signal
import sys
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
TABLES = Path(__file__).parent / "safeguards"
SECONDS = 180
"""For the tests of one safeguard. A service that hangs without it proves nothing that a test says."""
PATIENCE = 1800
"""For all of them, with all safeguards."""
PLUGINS = ("--disable-plugin-autoload", "-p", "anyio", "-p", "no:cacheprovider")
"""The one that the tests need: some take longer to load than a test takes."""
IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True)
class Change:
    file: str
    """Below `src/goodword`."""
    text: str
    becomes: str

    def made(self, source: str) -> str:
        """The file without the safeguard. Raises `ValueError` when the text is not there, or not only once."""
        if (found := source.count(self.text)) != 1:
            raise ValueError(f"{self.file}: found {found} times: {self.text!r}")
        return source.replace(self.text, self.becomes)


@dataclass(frozen=True)
class Safeguard:
    name: str
    changes: tuple[Change, ...]
    killed_by: tuple[str, ...]
    on: str
    """The database that its tests run on, where they need one."""

    @property
    def files(self) -> str:
        return ", ".join(dict.fromkeys(change.file for change in self.changes))


def safeguards() -> list[Safeguard]:
    return [
        Safeguard(
            name,
            tuple(Change(*change) for change in about["changes"]),
            tuple(f"tests/{test}" for test in about["killed_by"]),
            about.get("on", "sqlite"),
        )
        for table in sorted(TABLES.glob("*.toml"))
        for name, about in tomllib.loads(table.read_text()).items()
    ]


def mutated(changes: Sequence[Change], package: Path) -> dict[str, str]:
    """The files that change, as they are without the safeguard. Raises `ValueError`."""
    texts: dict[str, str] = {}
    for change in changes:
        texts[change.file] = change.made(texts.get(change.file) or (package / change.file).read_text())
    for file, text in texts.items():
        if file.endswith(".py") and meaning(text) == meaning((package / file).read_text()):
            raise ValueError(f"{file}: only a comment changes")
    return texts


def meaning(source: str) -> str:
    """What of a module counts: neither comments nor docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return ast.dump(tree)


@contextmanager
def without(safeguard: Safeguard) -> Iterator[Path]:
    """A copy of the service that lacks it."""
    with TemporaryDirectory(prefix="goodword-mutant-") as folder:
        package = Path(folder, "goodword")
        shutil.copytree(SOURCE / "goodword", package)
        for file, text in mutated(safeguard.changes, package).items():
            (package / file).write_text(text)
        yield Path(folder)


def run(
    source: Path, tests: Sequence[str], *, on: str, limit: float = SECONDS, options: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """How the tests end with the service of that folder: a word, and each that failed with its reason."""
    other = {"sqlite": "postgres", "postgres": "sqlite"}[on]
    with TemporaryDirectory(prefix="goodword-mutant-") as folder:
        report, said = Path(folder, "report.xml"), Path(folder, "said")
        child = os.fork()
        if child == 0:
            chosen = [*options, "-k", f"not {other}", *tests]
            _test(source, said, [*PLUGINS, "-W", IMPORTED, f"--junitxml={report}", *chosen])
        code = _code_of(child, limit)
        if code == 0:
            return "passes", []
        if code is None:
            return "hangs", []
        cases = ET.parse(report).iter("testcase") if report.exists() else ()
        failed = [
            (f"{case.get('name')}: {problem.get('message', '')}", is_said(problem))
            for case in cases
            for problem in case
            if problem.tag in ("failure", "error")
        ]
        reasons = [reason for reason, _ in failed] or [said.read_text()[-2000:]]
    return "fails" if any(by_assertion for _, by_assertion in failed) else "breaks", reasons


def _test(source: Path, said: Path, arguments: list[str]) -> NoReturn:
    """Run the tests in this process, which was forked for it, with the service of that folder."""
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.path.insert(0, str(source))
        os.environ["PYTHONPATH"] = str(
            source
        )  # some tests start the service in a process and a folder of its own
        os.chdir(ROOT)
        import pytest

        code = pytest.main(arguments)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001  this process must not go on as its parent does
        traceback.print_exc()
        code = 70
    os._exit(code)


def _code_of(child: int, limit: float) -> int | None:
    """How the process ended; None if it had to be ended."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def is_said(problem: ET.Element) -> bool:
    """Whether a test failed by what it asserts (`pytest.raises` says "DID NOT RAISE")."""
    reason = problem.get("message", "")
    return problem.tag == "failure" and reason.startswith(
        ("assert", "AssertionError", "Failed: DID NOT RAISE")
    )


def load_libraries() -> None:
    """What takes most of the time of a run is the import of libraries: here it is done once, before the forks."""
    for file in sorted((SOURCE / "goodword").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                if not name.startswith("goodword"):
                    importlib.import_module(name)


def main(words: Sequence[str]) -> int:
    chosen = [
        one for one in safeguards() if not words or any(word in f"{one.name} {one.files}" for word in words)
    ]
    if not chosen:
        print("There is no such safeguard.")
        return 1
    began = time.monotonic()
    load_libraries()
    for kind in ("sqlite", "postgres"):
        tests = list(dict.fromkeys(test for one in chosen if one.on == kind for test in one.killed_by))
        if tests:
            word, reasons = run(SOURCE, tests, on=kind, limit=PATIENCE)
            print(
                f"With all safeguards: {len(tests)} tests on {kind}: {word}", *reasons, sep="\n", flush=True
            )
            if word != "passes":
                return 1
    survivors = [one for one in chosen if not is_missed(one)]
    print(f"{len(chosen)} safeguards, {len(survivors)} not missed, in {time.monotonic() - began:.0f} s.")
    return 1 if survivors else 0


def is_missed(safeguard: Safeguard) -> bool:
    began = time.monotonic()
    try:
        with without(safeguard) as source:
            word, reasons = run(source, safeguard.killed_by, on=safeguard.on, options=["-x"])
    except ValueError as error:
        word, reasons = "is not found", [str(error)]
    mark = "killed" if word == "fails" else word.upper()
    by = reasons[0].partition(":")[0] if word == "fails" else ""
    took = time.monotonic() - began
    print(f"{mark:9} | {safeguard.name:70} | {safeguard.files:40} | {by} | {took:.1f} s", flush=True)
    if word != "fails":
        print(*reasons, sep="\n")
    return word == "fails"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
