"""The units of deploy/systemd: their score, and that the service works with what they forbid."""

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from servers import postgres_server
from serving import (
    GOODWORD,
    ROOT,
    children,
    environment,
    free_port,
    goodword,
    serving,
    wait_until,
    wait_until_ready,
)

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
SERVICE, WORKER = (
    ROOT / "deploy" / "systemd" / f"{name}.service" for name in ("goodword", "goodword-worker")
)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
SECRET = "secret key of the tests, long enough"


def confined(unit):
    """Return the command that runs another one with what the unit forbids."""
    powerless = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    return [*powerless, sys.executable, Path(__file__).with_name("confine.py"), unit]


def command_of(unit):
    """Return the arguments of `goodword` that the unit starts."""
    [line] = re.findall(r"^ExecStart=/srv/goodword/.venv/bin/goodword (.*)$", unit.read_text(), re.MULTILINE)
    return shlex.split(line)


@each_unit
def test_a_unit_is_rated_as_hardly_exposed(unit):
    command = ["systemd-analyze", "security", "--offline=true", unit]
    rated = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    [score] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", rated)
    assert float(score) <= 2.0


@each_unit
def test_systemd_understands_a_unit(unit, tmp_path):
    # The programs of the guide are not on this machine.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/srv/goodword/.venv/bin/goodword", "/bin/true"))

    verified = subprocess.run(
        ["systemd-analyze", "verify", copy], check=False, capture_output=True, text=True
    )

    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_service_runs_with_what_its_unit_forbids(tmp_path):
    _, *arguments = command_of(SERVICE)
    body = json.dumps({"email": "alice@example.com", "password": "seven lanterns on the hill"}).encode()

    with serving(tmp_path, *arguments, within=confined(SERVICE)) as node:
        request = Request(f"{node.url}/api/v1/users", body, {"Content-Type": "application/json"})
        with urlopen(request) as response:
            assert response.status == 201
        before = children(node.process)
        node.process.send_signal(signal.SIGHUP)  # as ExecReload does
        wait_until(lambda: children(node.process).isdisjoint(before))
        wait_until_ready(node.url, node.process)

    assert "Traceback" not in node.log.read_text()


def test_the_worker_runs_with_what_its_unit_forbids(tmp_path):
    port, log = free_port(), tmp_path / "worker.log"
    with postgres_server("--fsync=off") as server:
        given = {"DATABASE_URL": server.url, "SECRET_KEY": SECRET, "WORKER_HEALTH_PORT": str(port)}
        assert goodword(tmp_path, "migrate", **given).returncode == 0
        with log.open("w") as out:
            command = [*confined(WORKER), GOODWORD, *command_of(WORKER)]
            worker = subprocess.Popen(command, env=environment(tmp_path, **given), stdout=out, stderr=out)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}")
        finally:
            worker.terminate()
            worker.wait(timeout=30)

    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    "forbidden", ["socket.socket(socket.AF_NETLINK)", "mmap.mmap(-1, 1, prot=7)", "os.chroot('/')"]
)
def test_what_a_unit_forbids_is_refused_here_too(forbidden):
    script = f"import mmap, os, socket; {forbidden}"

    done = subprocess.run(
        [*confined(SERVICE), sys.executable, "-c", script], check=False, capture_output=True, text=True
    )

    assert "PermissionError" in done.stderr
