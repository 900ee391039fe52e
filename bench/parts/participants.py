"""Participants that the server of a product reports."""

import itertools
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import httpx2

import seed
import serving
from parts.accounts import joining
from row import Figure, Goal, Measure, Result, Row
from seed import CROWD
from stack import CHEAP, Server, Stack
from wrk import drive

MANY = {"LIMITS": "server-write=1000000/minute requests=1000000/minute"}
CPU = Figure("CPU of limit", lambda found: found.cpu, Goal(1.3, 1.1, more=False), of_limit=True)
BATCH = 100
SCOPES = ("participants:write", "programs:write")


@contextmanager
def participants(stack: Stack) -> Iterator[list[Row]]:
    """Measure the report of a person with a friend's code against a sign-up with one, and a batch of people."""
    settings = CHEAP | MANY
    with stack.service(settings) as service:
        key = api_key(stack, settings, SCOPES)
        headers = {"Authorization": f"Bearer {key}"}
        # A person who signs up gets no code either.
        terms = httpx2.patch(
            f"{service.url}/api/v1/programs/default", json={"code_lifetime": None}, headers=headers
        )
        terms.raise_for_status()
        yield [
            Row("report a person with a code", _reporting(service, key), [CPU], joining(service), "sign-up"),
            Row(f"report {BATCH} people", _batches(service, key)),
        ]


def api_key(stack: Stack, settings: dict[str, str], scopes: Sequence[str]) -> str:
    """Create an API key by the command, and return it."""
    folder = Path(mkdtemp(dir=stack.folder))
    command = [*stack.source, str(serving.GOODWORD), "api-key", "create", "--name", "bench"]
    command += [word for scope in scopes for word in ("--scope", scope)]
    environment = serving.environment(folder, **stack.settings(settings))
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("gwk_"))


def _reporting(service: Server, key: str) -> Measure:
    tags = itertools.count()

    def measure(seconds: float) -> Result:
        tag = next(tags)
        owners = [2 + (tag * 7919 + n) % (CROWD.codes - 2) for n in range(20_000)]
        lines = [_report(f"{service.pid}-{tag}-{n}", owner) for n, owner in enumerate(owners)]
        return drive(service, lines, seconds, token=key)

    return measure


def _report(name: str, owner: int) -> str:
    body = {"email": f"customer{name}@example.net", "first_name": "Friend", "referral_code": seed.code(owner)}
    return f"PUT /api/v1/participants/{name}\t{json.dumps(body)}"


def _batches(service: Server, key: str) -> Measure:
    tags = itertools.count()

    def measure(seconds: float) -> Result:
        tag = f"{service.pid}-b{next(tags)}"
        lines = [_batch(tag, first) for first in range(0, 400_000, BATCH)]
        return drive(service, lines, seconds, token=key, connections=4)

    return measure


def _batch(tag: str, first: int) -> str:
    people = [
        {"external_id": f"{tag}-{n}", "email": f"customer{tag}-{n}@example.net", "first_name": "Friend"}
        for n in range(first, first + BATCH)
    ]
    return "/api/v1/participants/batch\t" + json.dumps({"items": people})
