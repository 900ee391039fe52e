"""examples/letters_story.py, run as the documents say: real servers, and every letter as it arrives."""

import re
import subprocess
import sys

from serving import ROOT


def test_the_story_of_the_letters_goes_as_it_is_told():
    told = subprocess.run(
        [sys.executable, ROOT / "examples" / "letters_story.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert re.findall(r"--- To: (\S+)\n    Subject: (.*)\n", told.stdout) == [
        ("alice@example.com", "Verify your address"),
        ("bob@example.com", "You are invited"),
        ("bob@example.com", "Verify your address"),
        ("alice@example.com", "A friend joined with your code"),
    ]
    assert "422 email_undeliverable" in told.stdout
    assert "Bob B.: confirmed" in told.stdout
    assert "shown to her alone: Head of Curiosity" in told.stdout
