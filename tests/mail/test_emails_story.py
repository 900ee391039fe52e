"""examples/emails_story.py, run against real servers."""

import re
import subprocess
import sys

from serving import ROOT


def test_the_emails_story_runs_and_prints_each_message():
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "emails_story.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    *messages, penultimate, last = re.findall(r"--- To: (\S+)\n    Subject: (.*)\n", done.stdout)
    assert messages == [
        ("alice@example.com", "Confirm your e-mail for Goodword"),
        ("alice@example.com", "Welcome to Goodword"),
        ("bob@example.com", "Alice L. invites you to Goodword"),
        ("bob@example.com", "Confirm your e-mail for Goodword"),
    ]
    assert {penultimate, last} == {
        ("bob@example.com", "Welcome to Goodword"),
        ("alice@example.com", "Bob B. joined with your link"),
    }
    assert "422 email_undeliverable" in done.stdout
    assert "Bob B.: confirmed" in done.stdout
    assert "visible to Alice only: Head of Curiosity" in done.stdout
