"""Conventions of the code that can be checked."""

import ast
from pathlib import Path

from serving import ROOT
from sweeps import Sweep

PACKAGE = ROOT / "src" / "goodword"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
CLIENT = ROOT / "clients" / "python" / "src" / "goodword_client"
WRITTEN = sorted(CLIENT.glob("*.py"))
"""Of the Python client, without what is generated."""

ENDS_TRANSACTIONS = {
    "db/database.py": "opens and ends them",
    "db/sqlite_driver.py": "skips the rollback of what has ended",
    "db/transaction_hooks.py": "commits before an error",
}
COMMITS_BEFORE_AN_ERROR = {
    "sessions/service.py": "a replayed refresh token ends its session, and is refused all the same",
    "oauth/service.py": "a code that is shown twice ends the session that it was traded for, and is refused",
}
LISTENS_TO_EVENTS = {
    "db/transaction_hooks.py": "to sessions",
    "db/engines.py": "to connections",
    "db/statement_spans.py": "to statements",
    "migrations/__init__.py": "to connections",
}
LONGEST_FILE = 300
LONGEST_FUNCTION = 60


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports_of(path: Path) -> set[str]:
    """Return full names: `from goodword.codes import service` is `goodword.codes.service`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_services_and_models_do_not_import_the_web_framework():
    with Sweep() as sweep:
        for path in SOURCES:
            if path.name in ("service.py", "models.py", "schemas.py"):
                with sweep.case(name_of(path)):
                    tops = {name.split(".")[0] for name in imports_of(path)}
                    assert not tops & {"fastapi", "starlette"}


def test_endpoints_contain_no_queries():
    with Sweep() as sweep:
        for path in SOURCES:
            if path.name.endswith("api.py"):
                with sweep.case(name_of(path)):
                    nodes = ast.walk(ast.parse(path.read_text()))
                    names = {node.id for node in nodes if isinstance(node, ast.Name)}
                    assert not names & {"select", "insert", "update", "delete", "text"}


def test_only_db_ends_transactions():
    with Sweep() as sweep:
        for path in SOURCES:
            nodes = list(ast.walk(ast.parse(path.read_text())))
            attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            with sweep.case(name_of(path)):
                assert name_of(path) in ENDS_TRANSACTIONS or not attributes & {"commit", "rollback"}
                assert name_of(path) in COMMITS_BEFORE_AN_ERROR or "commit_before_error" not in names


def test_only_transaction_hooks_listen_to_sessions():
    with Sweep() as sweep:
        for path in SOURCES:
            nodes = list(ast.walk(ast.parse(path.read_text())))
            used = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
            with sweep.case(name_of(path)):
                assert not used & {"session.info", "self.session.info"}
                assert name_of(path) in LISTENS_TO_EVENTS or not used & {"event.listen", "event.listens_for"}


def test_imports_have_no_side_effects():
    forbidden = {"Settings", "load", "create_async_engine", "Database", "create_app", "os.getenv"}
    with Sweep() as sweep:
        for path in SOURCES:
            calls = {
                ast.unparse(node.value.func)
                for node in ast.parse(path.read_text()).body
                if isinstance(node, ast.Assign | ast.Expr) and isinstance(node.value, ast.Call)
            }
            with sweep.case(name_of(path)):
                assert not forbidden & calls


def test_functions_are_short():
    with Sweep() as sweep:
        for path in SOURCES:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    with sweep.case(f"{name_of(path)}: {node.name}"):
                        assert node.end_lineno - node.lineno < LONGEST_FUNCTION


def test_files_are_short_and_described():
    with Sweep() as sweep:
        for path in [*SOURCES, *WRITTEN]:
            text = path.read_text()
            with sweep.case(path.relative_to(ROOT).as_posix()):
                assert path.name not in {"utils.py", "helpers.py", "constants.py", "common.py"}
                assert len(text.splitlines()) <= LONGEST_FILE
                assert not text or ast.get_docstring(ast.parse(text)), "the module has no docstring"


def test_benchmarks_and_tests_can_be_imported_together():
    # Both folders are on the import path, so a file would hide another of the same name.
    names = [{path.name for path in (ROOT / folder).glob("*.py")} for folder in ("bench", "tests")]

    assert not names[0] & names[1]
