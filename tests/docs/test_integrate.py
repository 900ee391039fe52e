"""The guide docs/integrate.md is true: its commands, in the shell and in Python, give the answers that it shows."""

import re
import subprocess
import sys

import pytest

from documented import programs, read
from serving import GOODWORD, ROOT, environment, free_port, serving

GUIDE = (ROOT / "docs" / "integrate.md").read_text()
BLOCKS = re.findall(r"```(sh|python|json|text)\n(.*?)```", GUIDE, re.DOTALL)
SEPARATORS = {"sh": "\nprintf '\\036'\n", "python": "\nprint('\\x1e', end='')\n"}


def steps(language):
    """Return each block in this language, and the answer that the page shows for it."""
    found = []
    for number, (kind, text) in enumerate(BLOCKS):
        after = BLOCKS[number + 1 :]
        if kind == "sh" and after and after[0][0] == "python":
            after = after[1:]  # the same in Python: both have one answer
        if kind == language:
            found.append((text, after[0][1] if after and after[0][0] in ("json", "text") else ""))
    return found


def run(folder, language, served):
    """Run all blocks in this language and return what each printed. Both need the key, which the shell creates."""
    create_key, *others = (text for text, _ in steps("sh"))
    texts = [create_key, *others] if language == "sh" else [text for text, _ in steps("python")]
    script = "".join(text + SEPARATORS[language] for text in texts)
    port = str(free_port())
    script = script.replace("9000", port)
    (folder / "script").write_text(script.replace("http://127.0.0.1:8000", served.url))
    in_environment = folder / ".venv" / "bin"
    in_environment.mkdir(parents=True)
    (in_environment / "goodword").symlink_to(GOODWORD)
    (in_environment / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (in_environment / "python").chmod(0o755)
    (folder / "examples").symlink_to(ROOT / "examples")
    shell = ". ./script" if language == "sh" else f"{create_key}\n{sys.executable} script"
    done = subprocess.run(
        ["/bin/sh", "-ec", shell],
        env=environment(folder) | {"PATH": programs(folder, real_curl=False)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.replace(served.url, "http://127.0.0.1:8000").replace(port, "9000")
    return printed.split("\x1e")[:-1]


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_commands_give_the_answers_that_it_shows(tmp_path, language):
    with serving(tmp_path, LOOPBACK_WEBHOOKS="on") as served:
        answers = run(tmp_path, language, served)

    for (command, shown), answer in zip(steps(language), answers, strict=True):
        assert read(answer) == read(shown), command


def test_every_step_is_there_in_both_languages():
    assert len([answer for _, answer in steps("sh") if answer]) >= 8
    assert [answer for _, answer in steps("sh") if answer] == [
        answer for _, answer in steps("python") if answer
    ]
