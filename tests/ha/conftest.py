"""One cluster for all tests, and the table that they fill."""

from collections.abc import Iterator

import pytest

from ha.cluster import Cluster, running_cluster
from ha.routes import running_routes

HEAD = "| case | replication | route | without writes | writes acknowledged | lost | 503 | other errors |"
ROWS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def urls(cluster, tmp_path_factory) -> Iterator[dict[str, str]]:
    with running_routes(cluster, tmp_path_factory.mktemp("routes")) as urls:
        yield urls


@pytest.fixture
def table(request) -> list[str]:
    """The rows that are printed at the end."""
    rows: list[str] = request.config.stash.setdefault(ROWS, [])
    return rows


def pytest_terminal_summary(terminalreporter, config):
    if rows := config.stash.get(ROWS, []):
        terminalreporter.write_line("\n".join(["", HEAD, "|---" * (HEAD.count("|") - 1) + "|", *rows]))
