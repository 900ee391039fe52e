"""docs/configuration.md describes every setting, as `scripts/configuration.py` writes it."""

import subprocess
import sys

from dotenv import dotenv_values

from goodword.config.loading import load
from goodword.config.settings import PREFIX, Settings
from serving import ROOT


def test_page_of_settings_is_current():
    command = [sys.executable, str(ROOT / "scripts" / "configuration.py"), "--print"]
    generated = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert generated == (ROOT / "docs" / "configuration.md").read_text(), "Run scripts/configuration.py"


def test_page_describes_every_setting():
    page = (ROOT / "docs" / "configuration.md").read_text()

    for name in Settings.model_fields:
        _, _, described = page.partition(f"### `{PREFIX}{name.upper()}`\n\n")
        assert described.partition("\n")[0].endswith("."), name


def test_values_of_the_example_file_are_the_defaults(tmp_path):
    """Show that the example names the defaults: the page takes the defaults from there."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    file = tmp_path / ".env"
    file.write_text("\n".join(line.removeprefix("#") for line in lines if line.startswith("#" + PREFIX)))
    named = {name.removeprefix(PREFIX).lower() for name, value in dotenv_values(file).items() if value}

    assert load({}, file) == Settings()
    assert named == {name for name, field in Settings.model_fields.items() if field.default not in (None, ())}
