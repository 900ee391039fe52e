"""The service as it is served, for what is drawn: on SQLite, and for long runs on PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from httpx2 import Client

from fuzz.cast import Service
from servers import postgres, valkey
from serving import serving

SETTINGS = {
    "RATE_LIMITS": "off",
    "LOG_FORMAT": "json",
    "GITHUB_CLIENT_ID": "a client",
    "GITHUB_CLIENT_SECRET": "canary-of-the-provider",
}


@pytest.fixture
def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make fuzz`: thousands of calls."""
    return bool(request.config.getoption("--fuzz"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--hypothesis-seed") or 1)


@pytest.fixture
def service(is_long: bool, tmp_path: Path) -> Iterator[Service]:
    """On PostgreSQL when there is time for it."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres()) if is_long else None
        yield stack.enter_context(_service(tmp_path, url))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Service]:
    """On SQLite, where the worker runs inside: its lines are in the same log."""
    with _service(tmp_path, None) as service:
        yield service


@contextmanager
def _service(folder: Path, url: str | None) -> Iterator[Service]:
    with valkey() as redis, ExitStack() as stack:
        settings = SETTINGS | {"REDIS_URL": redis.url}
        if url:
            settings |= {"DATABASE_URL": url, "SECRET_KEY": "x" * 32}
        served = stack.enter_context(serving(folder, *(["--migrate"] if url else []), **settings))
        client = stack.enter_context(Client(base_url=served.url))
        url = url or f"sqlite+aiosqlite:///{folder / 'data' / 'goodword.sqlite3'}"
        yield Service(served, folder, settings, client, url)
