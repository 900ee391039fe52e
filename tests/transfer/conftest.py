"""An installation to import into, and files to import."""

import json

import pytest

from goodword.db.database import Database
from serving import command_on


@pytest.fixture
def command(installation, tmp_path):
    """Return a function that runs a command with the settings of the installation, or with others."""
    return command_on(installation, tmp_path)


@pytest.fixture
async def database(installation):
    """Yield the database of the installation."""
    opened = Database(installation.database)
    yield opened
    await opened.close()


@pytest.fixture
def import_lines(command, tmp_path):
    """Import records, or lines as they are. Return the command and its report."""

    def run(*lines, options=()):
        file = tmp_path / "lines.ndjson"
        encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        file.write_bytes(b"\n".join(encoded) + b"\n")
        done = command("import", file, *options)
        return done, read_report(file)

    return run


def read_report(file):
    """Return the refused lines: the number, the field and the code of each."""
    lines = file.with_name(f"{file.name}.errors.ndjson").read_text().splitlines()
    return [(found["line"], found["field"], found["code"]) for found in map(json.loads, lines)]
