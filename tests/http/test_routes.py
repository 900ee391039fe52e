"""Paths and methods that there are not."""

import re

import pytest

from asgi import forget_limits
from operations import SOME_ID, operations
from sweeps import Sweep

pytestmark = pytest.mark.one_database

OPERATIONS = operations()
PATHS = sorted(
    {one.path for one in OPERATIONS if "/admin/" not in one.path}
)  # for those: tests/admin/test_hidden.py
IN_THE_FORM_OF_OAUTH = {"/oauth/token", "/oauth/revoke", "/oauth/introspect"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND"]

NOWHERE = [
    "/nowhere",
    "/api",
    "/api/v1",
    "/api/v2/users",
    "/API/V1/users",
    "/api/v1/user",
    "/api/v1/users/x/y",
    "/api/v1/me/nothing",
    "/api/v1/me/",
    "/livez/",
    "//api/v1/users",
    "/api//v1/users",
    "/api/v1/users;x=1",
    "/api/v1/../v1/nowhere",
    "/%00",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/.env",
    "/.git/config",
    "/" + "x" * 4000,
]


def methods_of(path):
    """Those of every documented path that this one is, or could be; HEAD where there is GET."""
    filled = re.sub(r"\{\w+\}", SOME_ID, path)
    found = {
        operation.method
        for operation in OPERATIONS
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), filled)
    }
    return found | {"HEAD"} if "GET" in found else found


async def test_an_unknown_path_is_not_found(api, app):
    with Sweep() as sweep:
        for path in NOWHERE:
            forget_limits(app)
            with sweep.case(f"{path!a}"):
                answer = await api.get(path)

                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_wrong_method_is_told_all_the_right_ones(api, app):
    with Sweep() as sweep:
        for path in PATHS:
            forget_limits(app)
            with sweep.case(f"{path!a}"):
                allowed = methods_of(path)

                for method in METHODS:
                    if method not in allowed:
                        answer = await api.request(method, re.sub(r"\{\w+\}", SOME_ID, path))
                        assert answer.status_code == 405, method
                        assert answer.headers["allow"] == ", ".join(sorted(allowed)), method
                        if method == "HEAD":
                            assert answer.content == b""
                        elif path not in IN_THE_FORM_OF_OAUTH:
                            assert answer.json()["code"] == "method_not_allowed", method


async def test_the_allowed_methods_of_an_account(api):
    answer = await api.put("/api/v1/me")

    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PATCHES"])
async def test_an_unknown_method_is_not_allowed(api, method):
    answer = await api.request(method, "/api/v1/me")

    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")


@pytest.mark.parametrize(
    "header",
    [{"X-HTTP-Method-Override": "DELETE"}, {"X-Original-URL": "/api/v1/me"}, {"X-Rewrite-URL": "/livez"}],
)
async def test_no_header_changes_path_or_method(api, header):
    assert (await api.get("/nowhere", headers=header)).status_code == 404
    assert (await api.get("/livez", headers=header)).json() == {"status": "ok"}
