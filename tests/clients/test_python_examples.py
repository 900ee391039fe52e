"""The examples of the Python client, run by its wheel against a service. `make client` builds the wheel."""

import subprocess
import sys

import pytest

from acme import create_key
from installed import uv
from serving import ROOT, serving

FOLDER = ROOT / "clients" / "python"
EXAMPLES = FOLDER / "examples"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return an interpreter with the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("client")
    [wheel] = (FOLDER / "dist").glob("*.whl")
    uv("venv", "--python", sys.executable, "venv", folder=folder)
    uv("pip", "install", "--python", "venv", wheel, folder=folder)
    return folder / "venv" / "bin" / "python"


def run(*command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_story_runs_against_a_service(python, tmp_path):
    with serving(tmp_path) as served:
        printed = run(python, EXAMPLES / "story.py", served.url)

    assert printed[0].endswith("/r/ALICE-2026")
    assert printed[1:] == ["Bob B. confirmed", "code_not_found"]


def test_the_server_of_a_product_reports_its_users(python, tmp_path):
    with serving(tmp_path) as served:
        printed = run(python, EXAMPLES / "product.py", served.url, create_key(tmp_path))

    assert printed == ["user-7", "user-42", "user-7 499 approved", "participant_not_found True"]


@pytest.mark.parametrize("name", ["story", "product"])
def test_the_readme_shows_the_example(name):
    code = (EXAMPLES / f"{name}.py").read_text()

    assert f"```python\n{code}```" in (FOLDER / "README.md").read_text()


def test_httpx_is_not_needed(python):
    assert run(
        python, "-c", "import goodword_client, sys; print('httpx' in sys.modules, 'httpx2' in sys.modules)"
    ) == ["False True"]
