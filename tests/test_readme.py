"""The README is true: its commands, word for word, give its answers."""

import re

import pytest

from documented import programs, read, run, steps
from serving import ROOT, serving

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)


@pytest.fixture(params=[True, False], ids=["the machine's curl", "our stand-in"])
def path(request, tmp_path):
    return programs(tmp_path, real_curl=request.param)


def test_the_story_runs_word_for_word(tmp_path, path):
    with serving(tmp_path) as served:
        answers = run([command for command, _ in steps(README)], tmp_path, served, {}, path)

    assert len(answers) > 6
    for (command, shown), answer in zip(steps(README), answers, strict=True):
        assert read(answer) == read(shown), command


def test_the_russian_readme_tells_the_same_story():
    assert BLOCK.findall((ROOT / "README.ru.md").read_text()) == BLOCK.findall(README)


def test_every_target_and_file_that_it_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    for text in (README, (ROOT / "README.ru.md").read_text(), (ROOT / "CONTRIBUTING.md").read_text()):
        assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / link).exists(), link
