"""The README is true: its commands, word for word, give its answers."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving import ROOT, serving

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(sh|json)\n(.*?)```", re.DOTALL)
VARYING = {
    "id": "<id>",
    "request_id": "<id>",
    "created_at": "<t>",
    "activated_at": "<t>",
    "confirmed_at": "<t>",
}
VARYING |= {"expires_at": "<t>"}


def masked(value):
    """The answer without what differs from one time to the next."""
    if isinstance(value, dict):
        return {
            key: VARYING[key] if key in VARYING and item is not None else masked(item)
            for key, item in value.items()
        }
    return [masked(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(params=["the machine's curl", "our stand-in"])
def path(request, tmp_path):
    """Where `curl` is found: the stand-in alone where the machine has none."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "curl"):
        found = shutil.which(name)
        ours = request.param == "our stand-in" or found is None
        if name == "curl" and ours:
            (programs / name).write_text(
                f"#!{sys.executable}\n" + (Path(__file__).parent / "curl.py").read_text()
            )
            (programs / name).chmod(0o755)
        else:
            (programs / name).symlink_to(sys.executable if name == "python3" else found)
    return str(programs)


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
