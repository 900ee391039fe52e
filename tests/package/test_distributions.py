"""The sdist and the wheel, as `make test-package` builds them, run the service without the repository."""

import json
import tarfile
import zipfile
from urllib.request import urlopen

import pytest

from installed import call, install, run, served
from serving import ROOT

WHEELS, SDISTS = (sorted((ROOT / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def program(request, tmp_path_factory):
    """Return the command, installed from one distribution."""
    (distribution,) = WHEELS if request.param == "wheel" else SDISTS
    return install(distribution, ROOT / "requirements.lock", tmp_path_factory.mktemp(request.param))


def read(url):
    with urlopen(url) as answer:
        return answer.read().decode()


def test_the_service_runs_from_a_distribution(program, tmp_path):
    version = run(program, "--version", folder=tmp_path)
    with served(program, tmp_path) as url:
        account = {"email": "alice@example.com", "password": "seven lanterns on the hill"}
        assert call(f"{url}/api/v1/users", account)["email"] == "alice@example.com"
        assert call(f"{url}/readyz")["status"] == "ok"
        assert "Goodword" in read(f"{url}/sign-in")
        assert "swagger" in read(f"{url}/docs").lower()
        assert json.loads(read(f"{url}/openapi.json"))["info"]["version"] in version.stdout


def test_the_wheel_holds_the_package_and_its_types():
    with zipfile.ZipFile(WHEELS[0]) as wheel:
        names = wheel.namelist()

    assert "goodword/py.typed" in names
    assert any(name.endswith("translations/ru.mo") for name in names)
    source = ROOT / "src" / "goodword"
    for pattern in ("**/templates/**/*", "**/static/**/*", "migrations/versions/*.py"):
        files = {f"goodword/{path.relative_to(source)}" for path in source.glob(pattern) if path.is_file()}
        assert files
        assert files <= set(names), pattern
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"goodword"}


def test_the_sdist_holds_the_source_and_the_licence():
    with tarfile.open(SDISTS[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {"LICENSE", "pyproject.toml", "src/goodword/py.typed", "tests/conftest.py"} <= names
    assert not any(name.startswith((".env", "data/", ".venv")) for name in names - {".env.example"})
