"""docs/decisions: each record has a date and a status, and the index lists it with both."""

import re

import pytest

from serving import ROOT

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
ROW = re.compile(r"^\| \[(\d+)\]\((\S+)\) \| .+ \| (.+) \| (.+) \|$", re.MULTILINE)


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_record_states_its_date_and_status(record):
    head = record.read_text().partition("**Context.**")[0]

    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", head, re.MULTILINE)
    assert re.search(r"^- Status: (Proposed|Accepted|Superseded by \[\d+\]\(\S+\))$", head, re.MULTILINE)


def test_index_lists_every_record_with_its_date_and_status():
    expected = []
    for record in RECORDS:
        date, status = re.findall(r"^- (?:Date|Status): (.+)$", record.read_text(), re.MULTILINE)
        expected.append((str(int(record.name[:4])), record.name, date, status))

    assert ROW.findall((FOLDER / "README.md").read_text()) == expected
