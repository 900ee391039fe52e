"""docs/errors.md lists every error code, as `scripts/error_codes.py` finds them in the source."""

import subprocess
import sys

from serving import ROOT


def test_page_of_error_codes_is_current():
    command = [sys.executable, str(ROOT / "scripts" / "error_codes.py"), "--print"]
    generated = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert generated == (ROOT / "docs" / "errors.md").read_text(), "Run scripts/error_codes.py"
