"""Which requests have a line in the log."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from serving import serving

pytestmark = pytest.mark.one_database


def lines_of(folder, **settings):
    """The lines of a read that goes well, one that does not, and a change, each with its answer's request id."""
    with serving(folder, LOG_FORMAT="json", **settings) as service:
        ids = []
        for path, body in (("/livez", None), ("/api/v1/me", None), ("/api/v1/users", b"{}")):
            headers = {"Content-Type": "application/json"}
            try:
                answer = urlopen(Request(service.url + path, data=body, headers=headers))
            except HTTPError as error:
                answer = error
            ids.append(answer.headers["X-Request-ID"])
            answer.close()
        service.stop()
        log = service.log.read_text().splitlines()
        assert "Finished server process" in log[-1]
        lines = [json.loads(line) for line in log if '"request"' in line]
    found = {line["request_id"]: (line["method"], line["route"], line["status"]) for line in lines}
    return [found.get(request_id) for request_id in ids]


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, ("GET", "/livez", 200)),
        ({"LOG_REQUESTS": "all"}, ("GET", "/livez", 200)),
        ({"LOG_REQUESTS": "changes"}, None),
        ({"ENVIRONMENT": "production", "PASSWORD_HASH": "small", "DOCS": "on"}, None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_reads_that_go_well_are_logged_where_they_are_few(tmp_path, settings, read):
    refused, change = ("GET", "/api/v1/me", 401), ("POST", "/api/v1/users", 422)

    assert lines_of(tmp_path, **settings) == [read, refused, change]
