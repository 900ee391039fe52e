"""The commands of docs/self-hosting.md work."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing

from serving import ROOT


def test_the_backup_of_sqlite_needs_python_alone(folder, tmp_path):
    guide = (ROOT / "docs" / "self-hosting.md").read_text()
    commands = re.search(r"\*\*SQLite\.\*\* Do not copy.*?```sh\n(.*?)```", guide, re.DOTALL)[1]
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("mkdir", "cp"):
        (programs / name).symlink_to(f"/bin/{name}")

    done = subprocess.run(
        ["/bin/sh", "-e"], input=commands, env={"PATH": str(programs)}, cwd=tmp_path, text=True, check=False
    )

    assert done.returncode == 0
    with closing(sqlite3.connect(tmp_path / "backup" / "goodword.sqlite3")) as backup:
        assert backup.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert (tmp_path / "backup" / "secret_key").stat().st_mode & 0o077 == 0
