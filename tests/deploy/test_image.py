"""The Dockerfile's steps without a container engine: the build, and the service as its user on a read-only file system."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from serving import ROOT, environment, free_port, wait_until_ready

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
USER = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE).groups()
INSTALLED = "/opt/goodword"
READ_ONLY = 'mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro / && exec "$@"'


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with what the first stage of the build installs."""
    folder = tmp_path_factory.mktemp("image")
    for name in re.findall(r"^COPY (?!--from)(.*) \./\w*$", DOCKERFILE, re.MULTILINE):
        for file in name.split():
            copied = shutil.copytree if (ROOT / file).is_dir() else shutil.copy
            copied(ROOT / file, folder / file)
    steps = re.findall(r"^RUN (?:--mount\S+ )?((?:python -m venv|pip) .*)$", DOCKERFILE, re.MULTILINE)
    assert len(steps) == 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for step in steps:
        command = step.replace(INSTALLED, str(folder / "opt"))
        subprocess.run(command.split(), check=True, cwd=folder, env=os.environ | {"PATH": path})
    for each in [folder, *folder.parents[:2]]:
        each.chmod(0o755)  # pytest lets only root into them
    return folder


def test_the_service_runs_without_root_and_writes_to_its_data_alone(place):
    port, data = free_port(), place / "data"
    data.mkdir(mode=0o700)
    os.chown(data, *map(int, USER))
    [words] = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, *arguments = json.loads(words)
    user = ["setpriv", "--reuid", USER[0], "--regid", USER[1], "--clear-groups", "--no-new-privs"]
    command = [
        *["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", *user, "--bounding-set=-all", "--inh-caps=-all"],
        *[place / "opt" / "bin" / program, *arguments, "--port", str(port)],
    ]
    env = environment(place, ENVIRONMENT="production", PUBLIC_URL=f"http://127.0.0.1:{port}")
    env = {name: value for name, value in env.items() if name not in ("PYTHONPATH", "GOODWORD_PASSWORD_HASH")}
    body = json.dumps({"email": "alice@example.com", "password": "seven lanterns on the hill"}).encode()

    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=data, env=env | {"DATA": str(data)}, stdout=log, stderr=log, text=True
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        request = Request(f"http://127.0.0.1:{port}/api/v1/users", body, {"Content-Type": "application/json"})
        with urlopen(request) as response:
            assert response.status == 201
    finally:
        process.terminate()
        process.wait(timeout=30)

    assert "Traceback" not in (place / "log").read_text()
    assert {path.stat().st_uid for path in data.rglob("*")} == {int(USER[0])}
    assert not list((place / "opt" / "lib").glob("python*/site-packages/pip"))
