"""The `goodword` command as an operator uses it."""

import json
import os
import subprocess
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from serving import GOODWORD, environment, free_port, goodword, goodword_process, serving

SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"


def call(url, body=None):
    request = Request(url, body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return json.load(answer)


def register(served, name):
    body = {"email": f"{name}@example.com", "password": "seven lanterns on the hill"}
    return call(f"{served.url}/api/v1/users", body)


def test_serve_creates_the_data_folder_and_reuses_it(tmp_path):
    with serving(tmp_path) as served:
        alice = register(served, "alice")
        served.stop()
    made = {path.name for path in (tmp_path / "data").iterdir()}
    assert made - {"emails"} == {"goodword.sqlite3", "secret_key"}  # her letter may wait for the next start

    with serving(tmp_path) as served, pytest.raises(HTTPError) as refused:
        register(served, "alice")

    refused.value.close()
    assert refused.value.code == 409
    assert alice["email"] == "alice@example.com"


def test_serve_refuses_the_wrong_secret_and_keeps_the_data(tmp_path):
    with serving(tmp_path):
        pass
    before = (tmp_path / "data" / "goodword.sqlite3").read_bytes()

    done = goodword_process(tmp_path, "serve", "--port", str(free_port()), SECRET_KEY=SECRET)

    assert done.returncode == 2
    assert "GOODWORD_SECRET_KEY is not the secret" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "data" / "goodword.sqlite3").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"NONSENSE": "1"}, "GOODWORD_NONSENSE is not a setting"),
        ({"SECRET_KEY": "short"}, "GOODWORD_SECRET_KEY"),
        ({"DATABASE_URL": "postgresql+asyncpg://localhost/x"}, "GOODWORD_SECRET_KEY is not set"),
        ({"DATA_DIR": "/proc/nothing/can/be/here"}, "/proc/nothing"),
        ({"DATABASE_URL_FILE": "/dev/null"}, "GOODWORD_DATABASE_URL_FILE: the file is empty"),
        ({"REDIS_URL_FILE": "/dev/null"}, "GOODWORD_REDIS_URL_FILE: the file is empty"),
    ],
)
def test_wrong_settings_are_refused_and_named(tmp_path, settings, named):
    done = goodword(tmp_path, "worker", **settings)

    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_reports_a_port_in_use(tmp_path):
    with serving(tmp_path) as served:
        done = goodword_process(tmp_path, "serve", "--port", served.url.rpartition(":")[2])

    assert done.returncode != 0
    assert "Address already in use" in done.stderr


def test_serve_migrates_postgres_only_with_migrate(tmp_path, postgres_url):
    name = "command_test"
    subprocess.run(
        [GOODWORD.with_name("python"), "-c", CREATE, postgres_url, name], check=True, env=os.environ
    )
    settings = {"DATABASE_URL": postgres_url.rpartition("/")[0] + f"/{name}", "SECRET_KEY": SECRET}

    refused = goodword_process(tmp_path, "serve", "--port", str(free_port()), **settings)
    assert refused.returncode == 2
    assert "schema is not current" in refused.stderr

    with serving(tmp_path, "--migrate", **settings) as served:
        assert register(served, "alice")["email"] == "alice@example.com"
    assert goodword(tmp_path, "migrate", **settings).returncode == 0


CREATE = """
import asyncio, sys, asyncpg
async def main(url, name):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
asyncio.run(main(*sys.argv[1:]))
"""


def test_migrate_prints_the_revision(tmp_path):
    done = goodword(tmp_path, "migrate")

    assert done.returncode == 0
    assert "The schema is at 2" in done.stdout


def test_config_hides_secrets(tmp_path):
    done = goodword(tmp_path, "config", METRICS_TOKEN="very secret", SECRET_KEY=SECRET)

    assert done.returncode == 0
    assert "very secret" not in done.stdout
    assert SECRET not in done.stdout
    assert "GOODWORD_METRICS_TOKEN=********\n" in done.stdout
    assert "GOODWORD_PUBLIC_URL=http://127.0.0.1:8000\n" in done.stdout


def test_config_reports_invalid_settings(tmp_path):
    done = goodword(tmp_path, "config", PASSWORD_MIN_LENGTH="2", ENVIRONMENT="staging")

    assert done.returncode == 2
    assert "GOODWORD_PASSWORD_MIN_LENGTH" in done.stderr
    assert "GOODWORD_ENVIRONMENT" in done.stderr


def test_config_reports_a_missing_secret_key(tmp_path):
    url = {"DATABASE_URL": "postgresql+asyncpg://goodword@localhost/goodword"}

    done = goodword(tmp_path, "config", **url)

    assert done.returncode == 2
    assert "GOODWORD_PUBLIC_URL=http://127.0.0.1:8000\n" in done.stdout
    assert "GOODWORD_SECRET_KEY is not set" in done.stderr
    assert goodword(tmp_path, "config", SECRET_KEY=SECRET, **url).returncode == 0


def test_every_log_line_is_json_with_the_request_id_and_no_personal_data(tmp_path):
    with serving(tmp_path, LOG_FORMAT="json") as served:
        register(served, "alice")
        with urlopen(f"{served.url}/livez?email=alice@example.com") as answer:
            request_id = answer.headers["x-request-id"]
        with pytest.raises(HTTPError):
            urlopen(f"{served.url}/api/v1/referral-codes/ALICES-OWN")

    text = served.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert next(line for line in lines if line.get("request_id") == request_id)["route"] == "/livez"
    assert "alice" not in text.lower()
    assert "lanterns" not in text


def test_python_m_goodword_runs_the_command(tmp_path):
    done = subprocess.run(
        [GOODWORD.with_name("python"), "-m", "goodword", "--help"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )

    assert "serve" in done.stdout
