"""`goodword worker`, and the worker inside `goodword serve`."""

import signal
import subprocess
import sys
import time
import uuid

import pytest

from monitoring.collector import collecting
from serving import goodword, serving, working
from test_command import CREATE, register

SECRET = "k4Jt-9vQ2mZx7Lp0RbWc5NfHs8GdYa1E"


@pytest.fixture
def fresh_postgres(postgres_url):
    """Return the URL of an empty PostgreSQL database."""
    name = f"jobs_{uuid.uuid4().hex}"
    subprocess.run([sys.executable, "-c", CREATE, postgres_url, name], check=True)
    return postgres_url.rpartition("/")[0] + f"/{name}"


def wait_for_emails(folder, count):
    deadline = time.monotonic() + 90  # a machine busy with other tests is slow to start it
    while len(found := list((folder / "data" / "emails").glob("*.eml"))) < count:
        assert time.monotonic() < deadline, "no e-mail was sent"
        time.sleep(0.05)
    return found


def test_serve_sends_emails_itself_on_the_embedded_database(tmp_path):
    with serving(tmp_path, LOG_FORMAT="json") as served:
        register(served, "alice")
        (message,) = wait_for_emails(tmp_path, 1)

    assert message.name.startswith("verify_email-")
    assert f"{served.url}/verify-email#token=gwv_" in message.read_text()
    assert message.stat().st_mode & 0o777 == 0o600
    assert message.parent.stat().st_mode & 0o777 == 0o700
    log = served.log.read_text()
    assert message.stem in log
    assert "alice" not in log
    assert "gwv_" not in log


def test_the_worker_sends_the_emails_of_a_service_on_postgres(tmp_path, fresh_postgres):
    settings = {"DATABASE_URL": fresh_postgres, "SECRET_KEY": SECRET}
    with serving(tmp_path, "--migrate", **settings) as served:
        register(served, "alice")
        with working(tmp_path, **settings) as worker:
            wait_for_emails(tmp_path, 1)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=60) == 0
    log = (tmp_path / "worker.log").read_text()
    assert "Traceback" not in log
    assert fresh_postgres.rpartition("/")[2] in log.splitlines()[0], "it names its database"


def test_a_job_of_the_worker_continues_the_trace_of_the_request(tmp_path, fresh_postgres):
    with collecting() as collector:
        settings = {"DATABASE_URL": fresh_postgres, "SECRET_KEY": SECRET, "OTLP_ENDPOINT": collector.url}
        with serving(tmp_path, "--migrate", "--workers", "2", **settings) as served:
            register(served, "alice")
            with working(tmp_path, **settings) as worker:
                wait_for_emails(tmp_path, 1)
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(timeout=60) == 0
            served.stop()

    request, job = collector.named("POST /api/v1/users"), collector.named("job verify_email")
    assert (job.trace, job.parent) == (request.trace, request.id)
    assert job.process != request.process


def test_two_workers_and_a_service_send_each_email_once(tmp_path):
    with serving(tmp_path) as served, working(tmp_path), working(tmp_path):
        for name in ("alice", "bob", "carol", "dave"):
            register(served, name)
        wait_for_emails(tmp_path, 4)
        time.sleep(0.5)
        assert len(wait_for_emails(tmp_path, 4)) == 4


def test_the_worker_refuses_an_outdated_schema(tmp_path, fresh_postgres):
    done = goodword(tmp_path, "worker", DATABASE_URL=fresh_postgres, SECRET_KEY=SECRET)

    assert done.returncode == 2
    assert "schema is not current" in done.stderr
    assert "Traceback" not in done.stderr
