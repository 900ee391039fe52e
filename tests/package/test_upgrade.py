"""The upgrade of docs/self-hosting.md, from the last version with another schema to this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from installed import call, install, run, served
from people import PASSWORD
from servers import postgres, postgres_clients
from serving import ROOT

VERSIONS = "src/goodword/migrations/versions"
WHEEL = next(iter((ROOT / "dist").glob("*.whl")))


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def previous(tmp_path_factory):
    """Install the version before the newest migration, built from its commit."""
    folder = tmp_path_factory.mktemp("previous")
    [changed] = git("log", "--max-count=1", "--diff-filter=A", "--format=%H", "--", VERSIONS).split()
    archive = subprocess.run(
        ["git", "archive", f"{changed}~1"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    subprocess.run(
        [Path(sys.executable).with_name("hatchling"), "build", "--target", "wheel"], cwd=folder, check=True
    )
    [wheel] = (folder / "dist").glob("*.whl")
    return install(wheel, folder / "requirements.lock", folder)


@pytest.fixture(scope="module")
def current(tmp_path_factory):
    return install(WHEEL, ROOT / "requirements.lock", tmp_path_factory.mktemp("current"))


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request, monkeypatch):
    """Yield the settings of a database, as an operator gives them."""
    given = {"PUBLIC_URL": "http://127.0.0.1:8000"}  # the issuer of tokens
    if request.param == "sqlite":
        yield given
        return
    monkeypatch.setenv("PATH", str(postgres_clients()), prepend=os.pathsep)
    with postgres() as url:
        yield given | {"DATABASE_URL": url, "SECRET_KEY": "a secret key of more than 32 characters"}


def sign_up(url, name, **values):
    body = {"email": f"{name}@example.com", "password": PASSWORD, "first_name": name, **values}
    return call(f"{url}/api/v1/users", body)["first_name"]


def sign_in(url, name):
    body = {"email": f"{name}@example.com", "password": PASSWORD}
    return call(f"{url}/api/v1/sessions", body)["access_token"]


def referred(url, token):
    me = call(f"{url}/api/v1/me", token=token)
    found = call(f"{url}/api/v1/users/{me['id']}/referrals", token=token)
    return {item["referee"]["display_name"] for item in found["items"]}


def test_users_codes_and_backups_of_the_previous_version_work(previous, current, settings, tmp_path):
    on_postgres = "DATABASE_URL" in settings
    if on_postgres:
        assert run(previous, "migrate", folder=tmp_path, **settings).returncode == 0
    with served(previous, tmp_path, **settings) as old:
        sign_up(old, "alice")
        token = sign_in(old, "alice")
        code = call(f"{old}/api/v1/me/referral-codes", {"lifetime": 86400}, token=token)["code"]
        friends = {sign_up(old, "bob", referral_code=code)}
        backup = run(previous, "backup", "before", folder=tmp_path, **settings)
        pending = run(current, "migrate", "--check", folder=tmp_path, **settings)
        if on_postgres:
            migrated = run(current, "migrate", folder=tmp_path, **settings)
            assert migrated.returncode == 0, migrated.stderr
            assert call(f"{old}/readyz")["status"] == "ok"
            friends.add(sign_up(old, "carol", referral_code=code))

    with served(current, tmp_path, **settings) as new:
        still_signed_in = referred(new, token)
        friends.add(sign_up(new, "dave", referral_code=code))
        after = referred(new, sign_in(new, "alice"))
        found = call(f"{new}/api/v1/referral-codes/by-email?email=alice@example.com")
    restored = run(current, "restore", "before", "--force", folder=tmp_path, **settings)
    with served(current, tmp_path, **settings) as new:
        in_the_backup = referred(new, sign_in(new, "alice"))

    assert backup.returncode == 0, backup.stderr
    assert (pending.returncode, "Pending migrations:" in pending.stdout) == (1, True), pending.stderr
    assert still_signed_in < after == friends
    assert found["code"] == code
    assert restored.returncode == 0, restored.stderr
    assert in_the_backup == {"bob"}
