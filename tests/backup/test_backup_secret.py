"""The secret key in a backup of an installation that generated its own."""

import pytest

from serving import goodword

SECRET = "data/secret_key"
OTHER = "another secret that is long enough for a key"


@pytest.fixture
def backup(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("kept") / "one.backup"
    assert goodword(folder, "backup", str(file)).returncode == 0
    return file


@pytest.fixture
def host(tmp_path_factory):
    """Return the folder of another installation, which is empty."""
    return tmp_path_factory.mktemp("host")


def read(folder):
    return (folder / SECRET).read_text().strip()


def test_an_empty_host_gets_the_secret_key(folder, backup, host):
    restored = goodword(host, "restore", str(backup))

    assert restored.returncode == 0, restored.stderr
    assert read(host) == read(folder)
    assert (host / SECRET).stat().st_mode & 0o777 == 0o600
    assert "is kept as" not in restored.stdout


def test_the_same_secret_key_needs_no_force(folder, backup):
    restored = goodword(folder, "restore", str(backup))

    assert restored.returncode == 0, restored.stderr
    assert not list((folder / "data").glob("secret_key.before-*"))


def test_another_secret_key_is_replaced_by_force_only_and_kept(folder, backup, host):
    (host / "data").mkdir()
    (host / SECRET).write_text(OTHER)

    refused = goodword(host, "restore", str(backup))

    assert (refused.returncode, "another secret key" in refused.stderr) == (1, True)
    assert [path.name for path in (host / "data").iterdir()] == ["secret_key"]
    assert read(host) == OTHER

    assert goodword(host, "restore", str(backup), "--force").returncode == 0

    assert read(host) == read(folder)
    [kept] = (host / "data").glob("secret_key.before-*")
    assert kept.read_text() == OTHER


def test_a_backup_without_the_secret_key_needs_that_of_its_database(folder, host, tmp_path):
    file = tmp_path / "without.backup"
    assert goodword(folder, "backup", "--without-secret", str(file)).returncode == 0

    refused = goodword(host, "restore", str(file))
    (host / SECRET).write_text(OTHER)
    foreign = goodword(host, "restore", str(file))
    (host / SECRET).write_text(read(folder))

    assert (refused.returncode, "has no secret key" in refused.stderr) == (1, True)
    assert (foreign.returncode, "SECRET_KEY is not the secret" in foreign.stderr) == (1, True)
    assert goodword(host, "restore", str(file)).returncode == 0
