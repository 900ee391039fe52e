"""The size of a body: 64 KiB, whatever its headers say of it."""

import json

import pytest
from structlog.testing import capture_logs

from asgi import forget_limits
from operations import JSON, json_operations, make_admin
from sweeps import Sweep

pytestmark = pytest.mark.one_database

LIMIT = 64 * 1024
REGISTER = "/api/v1/users"
OPERATIONS = json_operations()


def body_of(size):
    """A JSON object of so many bytes, which is refused for what it says, if it is read."""
    return b"{" + b" " * (size - 2) + b"}"


async def chunks(body, size):
    for start in range(0, len(body), size):
        yield body[start : start + size]


def scope_of(length=None):
    """A registration as the service gets it, without any client or server between."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", JSON.encode())]
    headers += [(b"content-length", length)] if length is not None else []
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST"}
    scope |= {"scheme": "http", "path": REGISTER, "raw_path": REGISTER.encode(), "query_string": b""}
    return scope | {"headers": headers, "client": ("127.0.0.1", 54321), "server": ("127.0.0.1", 8000)}


async def send(app, *messages, length=None):
    """The status that the service answers to these pieces of a body."""
    pieces, answers = list(messages), []

    async def receive():
        if not pieces:
            assert answers, "it was read before it was refused"
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def respond(message):
        answers.append(message)

    await app(scope_of(length), receive, respond)
    return answers[0]["status"], json.loads(answers[1]["body"])["code"]


TOO_LARGE = (413, "body_too_large")
READ = (422, "validation_failed")


async def test_one_byte_too_many_is_refused(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                answer = await operation.send(alice, body_of(LIMIT + 1))

                assert (answer.status_code, answer.json()["code"]) == TOO_LARGE


async def test_64_kib_are_read(api):
    answer = await api.post(REGISTER, content=body_of(LIMIT), headers={"Content-Type": JSON})

    assert (answer.status_code, answer.json()["code"]) == READ


@pytest.mark.parametrize("size", [1, 1000, LIMIT, LIMIT + 1])
async def test_a_body_in_chunks_has_the_same_limit(api, size):
    headers = {"Content-Type": JSON}

    refused = await api.post(REGISTER, content=chunks(body_of(LIMIT + 1), size), headers=headers)
    read = await api.post(REGISTER, content=chunks(body_of(LIMIT), size), headers=headers)

    assert (refused.status_code, refused.json()["code"]) == TOO_LARGE
    assert (read.status_code, read.json()["code"]) == READ


async def test_the_last_piece_counts(app):
    assert await send(app, body_of(LIMIT + 1)) == TOO_LARGE
    assert await send(app, body_of(LIMIT)[:-1], b" }") == TOO_LARGE
    assert await send(app, body_of(LIMIT)[:-1], b"}") == READ
    assert await send(app, b"", body_of(LIMIT), b"") == READ


@pytest.mark.parametrize("length", [b"65537", b"99999999999", b"9" * 5000])
async def test_what_is_announced_too_large_is_refused_unread(app, length):
    assert await send(app, length=length) == TOO_LARGE


@pytest.mark.parametrize("length", [b"2", b"0" * 30 + b"65537"])
async def test_what_is_announced_in_any_other_way_is_refused_as_it_comes(app, length):
    assert await send(app, body_of(LIMIT + 1), length=length) == TOO_LARGE


async def test_whoever_leaves_before_the_end_is_no_fault(app):
    async def leave():
        return {"type": "http.disconnect"}

    async def respond(message):
        raise AssertionError(message)

    with capture_logs() as lines:
        await app(scope_of(), leave, respond)

    assert [line["log_level"] for line in lines] == ["info"]


async def test_an_endless_body_is_not_read_to_its_end(app):
    pieces = [b" " * 1000] * 1000

    assert await send(app, *pieces) == TOO_LARGE
