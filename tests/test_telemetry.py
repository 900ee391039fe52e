"""F13: logs contain only allowed fields, and never a value that is logged by mistake."""

import ast
import json
import os
import select
import subprocess
import sys

import pytest

from goodword.logs import FIELDS, HIDDEN
from serving import ROOT
from sweeps import Sweep

CANARY = "canary-7f3a"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
PROGRAM = """
import logging, sys
import structlog
from goodword.logs import request_id_var, configure_logging

style, canary = sys.argv[1:]
configure_logging(style)
request_id_var.set("the-request")
log = structlog.get_logger("goodword.test")

def fails(password):
    kept = password
    try:
        {}[password]
    except KeyError:
        raise ValueError(f"this is no number: {kept}")

log.info("request", route="/x", password=canary, status={"code": canary}, why=canary * 100, error=None)
try:
    fails(canary)
except ValueError as error:
    log.exception("it failed")
    log.error("it failed", exc_info=ExceptionGroup(canary, [error]))
    logging.getLogger("asyncio").error(f"Never retrieved\\nfuture: {error!r}", exc_info=error)
logging.getLogger("library").warning("asked for %s", canary, extra={"password": canary})
logging.getLogger("library").warning("asked", stack_info=True)
logging.getLogger("uvicorn.error").info("Started server process [%d]", 4711)
"""


def lines_of(tmp_path, style):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program, style, CANARY],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT / "src"))},  # `make mutants` sets it
    )
    assert not done.stdout
    return done.stderr


@pytest.mark.parametrize("style", ["json", "console"])
def test_f13_unexpected_values_are_not_logged(tmp_path, style):
    log = lines_of(tmp_path, style)

    assert CANARY not in log
    for kept in (
        "/x",
        "password",
        HIDDEN,
        "in fails",
        "builtins.ValueError",
        "builtins.KeyError",
        "asked for",
        "[4711]",
    ):
        assert kept in log, kept


def test_f13_a_line_contains_allowed_fields(tmp_path):
    lines = [json.loads(line) for line in lines_of(tmp_path, "json").splitlines()]

    first = lines[0]
    assert {name for name in first if first[name] == HIDDEN} == {"password", "status", "why"}
    assert (first["event"], first["route"], first["error"]) == ("request", "/x", None)
    assert {line["request_id"] for line in lines} == {"the-request"}
    for line in lines:
        assert {name for name in line if name not in FIELDS} <= {"password", "stack_info"}
        assert all(line[name] == HIDDEN for name in line if name not in FIELDS)


STALLED = """
import logging, sys
from goodword import logs

logs.MAX_WAITING = 50
logs.configure_logging("json")
for number in range(1000):
    logging.getLogger("uvicorn.error").info("line %d %s", number, "x" * 100)
print("not blocked", flush=True)
sys.stdin.read()
logging.getLogger().handlers[0].flush()
logging.getLogger("uvicorn.error").info("the last line")
"""


def test_a_reader_of_the_log_that_stalls_blocks_nothing_and_learns_what_was_dropped():
    program = subprocess.Popen(
        [sys.executable, "-c", STALLED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pipesize=4096,
        text=True,
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT / "src"))},
    )
    assert program.stdout
    try:
        assert select.select([program.stdout], [], [], 30)[0], "it waits for the reader"
        _, log = program.communicate("", timeout=60)
    finally:
        program.kill()

    lines = [json.loads(line) for line in log.splitlines()]
    dropped = [line["count"] for line in lines if "dropped" in line["event"]]
    written = [line for line in lines if line["event"].startswith("line ")]
    assert len(written) > 30
    assert sum(dropped) == 1000 - len(written) > 0
    assert lines[-1]["event"] == "the last line"


def calls_of_logs():
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, name = node.func.value, node.func.attr
                if isinstance(owner, ast.Name) and owner.id == "log" and name in LEVELS:
                    yield f"{path.name}:{node.lineno}", node


def test_f13_log_calls_use_a_fixed_message_and_allowed_fields():
    with Sweep() as sweep:
        for place, call in calls_of_logs():
            with sweep.case(place):
                text, *others = call.args
                assert not others
                assert isinstance(text, ast.Constant | ast.Attribute), "what varies belongs in a field"
                assert {keyword.arg for keyword in call.keywords} <= FIELDS | {"exc_info"}
