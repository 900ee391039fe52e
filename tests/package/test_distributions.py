"""The sdist and the wheel, as `make test-package` builds them, run the service without the repository."""

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from serving import ROOT, environment, free_port, wait_for_port

UV = Path(sys.executable).with_name("uv")
WHEELS, SDISTS = (sorted((ROOT / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))


def uv(*arguments, folder):
    subprocess.run([UV, "--quiet", *arguments], cwd=folder, check=True)


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def program(request, tmp_path_factory):
    """Return the command, installed from one distribution with the locked dependencies."""
    (distribution,) = WHEELS if request.param == "wheel" else SDISTS
    folder = tmp_path_factory.mktemp(request.param)
    uv("venv", "--python", sys.executable, "venv", folder=folder)
    lock = ROOT / "requirements.lock"
    uv("pip", "install", "--python", "venv", "--require-hashes", "-r", lock, folder=folder)
    uv("pip", "install", "--python", "venv", "--no-deps", distribution, folder=folder)
    return folder / "venv" / "bin" / "goodword"


def read(url, body=None):
    request = Request(url, body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return answer.read().decode()


def test_the_service_runs_from_a_distribution(program, tmp_path):
    variables = {name: value for name, value in environment(tmp_path).items() if name != "PYTHONPATH"}
    version = subprocess.run(
        [program, "--version"], env=variables, capture_output=True, text=True, check=True
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "serve", "--port", str(port)], cwd=tmp_path, env=variables, stdout=log, stderr=log
        )
        try:
            wait_for_port(port)
            account = {"email": "alice@example.com", "password": "seven lanterns on the hill"}
            assert json.loads(read(f"{url}/api/v1/users", account))["email"] == "alice@example.com"
            assert json.loads(read(f"{url}/readyz"))["status"] == "ok"
            assert "Goodword" in read(f"{url}/sign-in")
            assert "swagger" in read(f"{url}/docs").lower()
            assert json.loads(read(f"{url}/openapi.json"))["info"]["version"] in version.stdout
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_wheel_holds_the_package_and_its_types():
    with zipfile.ZipFile(WHEELS[0]) as wheel:
        names = wheel.namelist()

    assert "goodword/py.typed" in names
    assert any(name.endswith("translations/ru.mo") for name in names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"goodword"}


def test_the_sdist_holds_the_source_and_the_licence():
    with tarfile.open(SDISTS[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"LICENSE", "pyproject.toml", "src/goodword/py.typed", "tests/conftest.py"} <= names
    assert not any(name.startswith((".env", "data/", ".venv")) for name in names - {".env.example"})
