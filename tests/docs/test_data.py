"""docs/data.md says of every table what stands in it, and for how long."""

import re

from goodword.tables import Base
from serving import ROOT


def test_every_table_is_there_once_and_no_other():
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "docs" / "data.md").read_text(), re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(Base.metadata.tables)
