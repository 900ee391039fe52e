"""The content type of a body: JSON in UTF-8, nothing else."""

import pytest

from asgi import forget_limits
from operations import json_operations, make_admin
from sweeps import Sweep

pytestmark = pytest.mark.one_database

OPERATIONS = json_operations()
REGISTER = next(one for one in OPERATIONS if str(one) == "POST /api/v1/users")

REFUSED: list[str | bytes] = [
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/json-patch+json",
    "application/jsonp",
    "application/json/x",
    "application",
    "json",
    "*/*",
    "",
    ";",
    "application/json, text/plain",
    "text/plain, application/json",
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    "application/json;CHARSET=ISO-8859-1",
    'application/json; charset="utf-16"',
    "application/json; charset=",
    "application/json; charset=utf-8; charset=utf-16",
    "application/json; charset*=utf-16''x",
    "application/json; charset = utf-16",
    b"application/json; charset=\xfctf-8",
]

ACCEPTED = [
    "application/json",
    "Application/JSON",
    "application/json;charset=utf-8",
    "application/json; charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json ; charset=utf8",
    "application/json; profile=x",
    "application/json;",
]


async def test_a_body_without_a_type_is_refused(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for options in (
                    {"content": b"{}"},
                    {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
                ):
                    answer = await operation.ask(alice, **options)
                    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_it_refuses(alice, rows, app):
    with Sweep() as sweep:
        for kind in REFUSED:
            forget_limits(app)
            with sweep.case(f"{kind!a}"):
                before = await rows("SELECT count(*) FROM users")

                answer = await REGISTER.with_type(alice, kind)

                assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
                assert "alice@example.com" not in answer.text
                assert await rows("SELECT count(*) FROM users") == before


async def test_it_accepts(alice, app):
    with Sweep() as sweep:
        for kind in ACCEPTED:
            forget_limits(app)
            with sweep.case(f"{kind!a}"):
                assert (await REGISTER.with_type(alice, kind)).json()["code"] == "email_taken"  # by Alice


async def test_two_types_are_refused(alice):
    body = {
        "content": b"{}",
        "headers": [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
    }

    assert (await alice.api.post(REGISTER.path, **body)).status_code == 415


async def test_a_coded_body_is_refused(alice, app):
    with Sweep() as sweep:
        for coding in ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"]:
            forget_limits(app)
            with sweep.case(f"{coding!a}"):
                answer = await REGISTER.send(alice, b"\x1f\x8b\x08\x00", **{"Content-Encoding": coding})

                assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_refused_coding_is_told_from_a_refused_type(api):
    """RFC 9110 §12.5.3 and §15.5.16."""
    coded = await api.post("/api/v1/users", json={}, headers={"Content-Encoding": "gzip"})
    typed = await api.post("/api/v1/users", content=b"{}", headers={"Content-Type": "text/plain"})
    token = await api.post("/oauth/token", data={}, headers={"Content-Encoding": "gzip"})

    assert (coded.status_code, coded.headers["accept-encoding"]) == (415, "identity")
    assert (typed.status_code, typed.headers["accept"]) == (415, "application/json")
    assert "accept-encoding" not in typed.headers
    assert (token.status_code, token.headers["accept-encoding"]) == (415, "identity")
