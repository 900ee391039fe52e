"""The page docs/rewards.md is true: its commands give the answers that it shows, and its tables are complete."""

import re

from documented import programs, read, run, steps
from goodword.events.schemas import EventWarning, NotRewardedReason
from goodword.rewards.schemas import RuleWrite
from serving import ROOT, environment, serving

PAGE = (ROOT / "docs" / "rewards.md").read_text()


def first_column(title):
    """Return the names in the first column of the table under a title."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_the_commands_give_the_answers_that_the_page_shows(tmp_path):
    with serving(tmp_path) as served:
        commands = [command for command, _ in steps(PAGE)]
        path = programs(tmp_path, real_curl=False)
        answers = run(commands, tmp_path, served, environment(tmp_path), path)

    assert len(answers) > 10
    for (command, shown), answer in zip(steps(PAGE), answers, strict=True):
        assert read(answer) == read(shown), command


def test_it_lists_every_reason_in_the_order_of_the_checks():
    assert first_column("Why a rule made no reward") == list(NotRewardedReason)


def test_it_lists_every_warning():
    assert first_column("Refunds") == list(EventWarning)


def test_it_lists_every_field_of_a_rule():
    assert sorted(first_column("The fields of a rule")) == sorted(RuleWrite.model_fields)
