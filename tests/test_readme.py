"""The README is true: its commands, word for word, give its answers."""

import json
import re
import subprocess

import pytest

from documented import masked, programs
from serving import ROOT, serving

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)


@pytest.fixture(params=[True, False], ids=["the machine's curl", "our stand-in"])
def path(request, tmp_path):
    return programs(tmp_path, real_curl=request.param)


def test_the_story_runs_word_for_word(tmp_path, path):
    blocks = BLOCK.findall(README)
    script = "".join(text + "\nprintf '\\036'\n" if kind == "sh" else "" for kind, text in blocks)
    wanted = [
        (text, blocks[n + 1][1] if n + 1 < len(blocks) and blocks[n + 1][0] == "json" else None)
        for n, (kind, text) in enumerate(blocks)
        if kind == "sh"
    ]
    with serving(tmp_path) as served:
        done = subprocess.run(
            ["/bin/sh", "-e"],
            input=script.replace("http://127.0.0.1:8000", served.url),
            env={"PATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        answers = done.stdout.split("\x1e")[:-1]

    assert len(answers) == len(wanted) > 6
    for (command, expected), answer in zip(wanted, answers, strict=True):
        if expected is None:
            assert not answer.strip(), command
        else:
            shown = json.loads(answer.replace(served.url, "http://127.0.0.1:8000"))
            assert masked(shown) == masked(json.loads(expected)), command


def test_the_russian_readme_tells_the_same_story():
    assert BLOCK.findall((ROOT / "README.ru.md").read_text()) == BLOCK.findall(README)


def test_every_target_and_file_that_it_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    for text in (README, (ROOT / "README.ru.md").read_text(), (ROOT / "CONTRIBUTING.md").read_text()):
        assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / link).exists(), link
