"""`goodword admin …` and `goodword users …` as an operator uses them."""

import json
import os
import pty
import select
import subprocess
from urllib.request import Request, urlopen

import pytest

from serving import GOODWORD, environment, goodword, serving

PASSWORD = "seven lanterns on the hill"
EMAIL = "rita@example.com"


def create(folder, email=EMAIL, password=PASSWORD, *options, **settings):
    """`goodword admin create`, with the password on the standard input."""
    given = password if isinstance(password, bytes) else f"{password}\n"
    return goodword(folder, "admin", "create", email, "--password-stdin", *options, stdin=given, **settings)


def sign_in(url):
    body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
    with urlopen(Request(f"{url}/api/v1/sessions", body, {"Content-Type": "application/json"})) as answer:
        return json.load(answer)


def test_create_works_before_the_first_start_of_the_service(folder):
    done = create(folder)
    assert done.returncode == 0, done.stderr
    assert "rita@example.com is an administrator" in done.stdout

    with serving(folder) as served:
        tokens = sign_in(served.url)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        with urlopen(Request(f"{served.url}/api/v1/admin/users", headers=headers)) as answer:
            (rita,) = json.load(answer)["items"]

    assert "admin" in tokens["scope"].split()
    assert (rita["is_admin"], rita["email_verified"], rita["first_name"]) == (True, True, None)


def test_commands_work_while_the_service_runs(tmp_path):
    with serving(tmp_path) as served:
        assert create(tmp_path).returncode == 0
        assert sign_in(served.url)
        assert goodword(tmp_path, "users", "disable", EMAIL).returncode == 0
        with pytest.raises(OSError, match="401"):
            sign_in(served.url)


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [
        (EMAIL, "short", "8 characters"),
        (EMAIL, "password1", "This password is too common"),
        (EMAIL, EMAIL, "as a password"),
        (EMAIL, "", "8 characters"),
        (EMAIL, b"\xff\xfe not in utf-8", "not UTF-8"),
        (EMAIL, "a" * 5000, "256 characters"),
        (EMAIL, "zero \0 in the middle", "Control characters"),
        ("rita", PASSWORD, "not a valid e-mail address"),
        ("rita@localhost", PASSWORD, "not a valid e-mail address"),
        ("\udcff@example.com", PASSWORD, "printable text"),
        ("", PASSWORD, "printable text"),
    ],
)
def test_create_refuses_what_sign_up_refuses(folder, email, password, says):
    done = create(folder, email, password)

    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def read_until(terminal, text):
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], 30)[0], f"waiting for {text!r} after {shown!r}"
        shown += os.read(terminal, 1024)
    return shown


def test_create_prompts_for_the_password_without_echo(folder):
    parent, child = pty.openpty()
    with subprocess.Popen(
        [GOODWORD, "admin", "create", EMAIL],
        cwd=folder,
        env=environment(folder),
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    ) as process:
        os.close(child)
        # The blank comes from whoever has switched the echo off; what is typed before it is thrown away.
        shown = read_until(parent, b"Password: ")
        os.write(parent, f"{PASSWORD}\n".encode())
        shown += read_until(parent, b"confirmation: ")
        os.write(parent, f"{PASSWORD}\n".encode())
        shown += read_until(parent, b"is an administrator")
        assert process.wait(timeout=30) == 0
    os.close(parent)

    assert PASSWORD.encode() not in shown


def test_create_without_a_terminal_fails(folder):
    done = goodword(folder, "admin", "create", EMAIL)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_promote_makes_an_existing_user_an_administrator(folder):
    assert create(folder).returncode == 0
    again = create(folder)
    assert (again.returncode, "account with this address already" in again.stderr) == (1, True)
    assert "--promote" in again.stderr

    assert "no longer an administrator" in goodword(folder, "admin", "remove", EMAIL).stdout
    assert "administrator: no" in " ".join(goodword(folder, "users", "show", EMAIL).stdout.split())
    assert goodword(folder, "admin", "create", EMAIL.upper(), "--promote").returncode == 0
    assert "administrator: yes" in " ".join(goodword(folder, "users", "show", EMAIL).stdout.split())


def test_users_are_found_shown_disabled_enabled_and_erased(folder):
    create(folder)
    found = goodword(folder, "users", "find", "RITA@")
    assert f"  {EMAIL}  -  active, administrator" in found.stdout
    user_id = found.stdout.split()[0]

    for who in (EMAIL, user_id):
        assert user_id in goodword(folder, "users", "show", who).stdout
    assert "is disabled" in goodword(folder, "users", "disable", user_id).stdout
    assert "disabled" in goodword(folder, "users", "find", "rita").stdout
    assert goodword(folder, "admin", "create", EMAIL, "--promote").returncode == 1
    assert "is enabled" in goodword(folder, "users", "enable", EMAIL).stdout
    assert f"{user_id} is erased" in goodword(folder, "users", "erase", EMAIL, "--yes").stdout
    assert goodword(folder, "users", "find", "rita").returncode == 1
    assert "erased" in goodword(folder, "users", "show", user_id).stdout
    again = goodword(folder, "users", "erase", user_id, "--yes")
    assert (again.returncode, "was erased" in again.stderr) == (1, True)


def test_a_person_without_an_account_is_found_by_the_external_id(folder, tmp_path):
    ids = ["acme/1", "01a201dc-5258-77c8-bbbf-93ad69676570", "rita@acme"]
    people = [{"type": "user", "external_id": id_, "reported_email": "x@example.com"} for id_ in ids]
    people[0] |= {"program": "default", "signed_up_at": "2026-01-31T12:00:00Z"}
    file = tmp_path / "people.ndjson"
    file.write_text("\n".join(json.dumps(person) for person in people))
    assert goodword(folder, "import", str(file)).returncode == 0

    found = goodword(folder, "users", "find", "ACME/").stdout
    assert "x@example.com (reported)  -  active, external id acme/1" in found
    assert len(goodword(folder, "users", "find", "x@example").stdout.splitlines()) == 3
    for id_ in ids:
        assert f"external id: {id_} " in " ".join(goodword(folder, "users", "show", id_).stdout.split())
    shown = " ".join(goodword(folder, "users", "show", "acme/1").stdout.split())
    for line in ("program: default", "reported email: x@example.com", "signed up: 2026-01-31 12:00:00"):
        assert line in shown
    assert goodword(folder, "users", "show", "x@example.com").returncode == 1, "it belongs to no account"
    assert "acme/1 is disabled" in goodword(folder, "users", "disable", "acme/1").stdout
    assert "is erased" in goodword(folder, "users", "erase", "acme/1", "--yes").stdout


def test_erase_asks_for_confirmation(folder):
    create(folder)
    for reply in ("n\n", "", "\n"):
        done = goodword(folder, "users", "erase", EMAIL, stdin=reply)
        assert done.returncode == 1

    assert EMAIL in goodword(folder, "users", "find", "rita").stdout


@pytest.mark.parametrize("act", ["show", "disable", "enable", "erase"])
def test_an_unknown_user_is_reported(folder, act):
    create(folder)
    for who in ("nobody@example.com", "01a201dc-5258-77c8-bbbf-93ad69676570", "%", "'"):
        done = goodword(folder, "users", act, who)
        assert (done.returncode, "There is no such user" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "goodword migrate"),
        ({"NONSENSE": "1"}, "GOODWORD_NONSENSE is not a setting"),
        (
            {"DATABASE_URL": "postgresql+asyncpg://127.0.0.1:9/x", "SECRET_KEY": PASSWORD * 2},
            "cannot be reached",
        ),
    ],
)
def test_an_unusable_database_is_reported(tmp_path, settings, says):
    done = goodword(tmp_path, "users", "find", "rita", **settings)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
