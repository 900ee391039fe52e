"""docs/doctor.md lists every check of `goodword doctor`, as `scripts/doctor_checks.py` finds them in the source."""

import subprocess
import sys

from serving import ROOT


def test_page_of_checks_is_current():
    command = [sys.executable, str(ROOT / "scripts" / "doctor_checks.py"), "--print"]
    generated = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert generated == (ROOT / "docs" / "doctor.md").read_text(), "Run scripts/doctor_checks.py"
