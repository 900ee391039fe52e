"""The page docs/api.md is true: its commands give the answers that it shows."""

from documented import programs, read, run, steps
from serving import ROOT, environment, serving

PAGE = (ROOT / "docs" / "api.md").read_text()


def test_the_commands_give_the_answers_that_the_page_shows(tmp_path):
    with serving(tmp_path) as served:
        commands = [command for command, _ in steps(PAGE)]
        path = programs(tmp_path, real_curl=False)
        answers = run(commands, tmp_path, served, environment(tmp_path), path)

    assert len(answers) > 30
    for (command, shown), answer in zip(steps(PAGE), answers, strict=True):
        assert read(answer) == read(shown), command
