"""The commands of docs/self-hosting.md work."""

import re

from serving import ROOT, goodword


def test_the_backup_is_made_and_restored_as_described(tmp_path):
    guide = (ROOT / "docs" / "self-hosting.md").read_text()
    [backup] = re.findall(r"```sh\n\.venv/bin/(goodword backup .*)\n```", guide)
    [restore] = re.findall(r"```sh\n\.venv/bin/(goodword restore .*)\n```", guide)
    assert goodword(tmp_path, "migrate").returncode == 0
    made = goodword(tmp_path, *backup.split()[1:])
    (tmp_path / "data").rename(tmp_path / "lost")

    restored = goodword(tmp_path, *restore.split()[1:])

    assert (made.returncode, restored.returncode) == (0, 0), made.stderr + restored.stderr
    assert "0 users" in restored.stdout
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o077 == 0
