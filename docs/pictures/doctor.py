"""Take a picture of a run of `goodword doctor`: `make pictures`."""

import os
import re
from contextlib import chdir
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from rich.console import Console

from goodword.cli.doctor import summary, table
from goodword.doctor.examination import examine
from serving import environment, goodword

HERE = Path(__file__).parent
SETTINGS = {
    "PASSWORD_HASH": "standard",
    "PUBLIC_URL": "https://refer.example.com",
    "BRAND_NAME": "Acme",
    "BACKUP_DIR": "backups",
}

with TemporaryDirectory() as name:
    folder = Path(name)
    arguments = ("admin", "create", "rita@example.com", "--password-stdin")
    assert goodword(folder, "migrate").returncode == 0
    assert goodword(folder, *arguments, stdin="correct horse battery staple").returncode == 0
    with chdir(folder), patch.dict(os.environ, environment(folder, **SETTINGS), clear=True):
        found = examine()

console = Console(file=StringIO(), record=True, width=118, force_terminal=True, highlight=False)
console.print(table(found))
console.print(summary(found))
picture = console.export_svg(title="goodword doctor", unique_id="doctor")
# Without the fonts that it would load from another site.
(HERE / "doctor.svg").write_text(re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL))
