"""Measures which lines and branches of the service each process of the tests executes.

`make test COVERAGE=1` puts this folder on PYTHONPATH, so that Python imports it first, in the workers of pytest-xdist
and in the processes that tests start. Each writes a file to `.coverage` at its end, and `make coverage` combines them.
A process that SIGKILL ends writes nothing.
"""

import atexit
import json
import os
import signal
from pathlib import Path
from types import FrameType
from typing import NoReturn
from uuid import uuid4

from slipcover import FileMatcher, ImportManager, Slipcover, wrap_spec_from_file_location

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".coverage"

measured = Slipcover(branch=True, exclude_lines=["if TYPE_CHECKING:"])  # which is for mypy alone
exit_at_once, raise_signal = os._exit, signal.raise_signal


def write() -> None:
    result = measured.get_coverage()
    result["files"] = {str(ROOT / name): file for name, file in result["files"].items()}
    (FOLDER / f"{uuid4()}.json").write_text(json.dumps(result))


def write_and_exit(status: int) -> NoReturn:
    write()
    exit_at_once(status)


def write_and_raise(number: int) -> None:
    write()
    raise_signal(number)


def terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    write_and_raise(number)


matcher = FileMatcher(sources=[ROOT / "src"])
wrap_spec_from_file_location(measured, matcher)
ImportManager(measured, matcher).__enter__()
atexit.register(write)
os._exit, signal.raise_signal = write_and_exit, write_and_raise
signal.signal(signal.SIGTERM, terminate)
