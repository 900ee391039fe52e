"""The document from which the clients are generated is that of the service."""

import runpy

from asgi import document
from serving import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "client_document.py"))
OUTDATED = "The API has changed: run `make client-document` and commit clients/openapi.json."


def test_the_clients_are_generated_from_the_api_as_it_is():
    is_current = SCRIPT["PAGE"].read_text() == SCRIPT["text"](SCRIPT["slim"](document()))

    assert is_current, OUTDATED


def test_its_codes_are_those_of_the_problem_documents():
    codes = SCRIPT["slim"](document())[SCRIPT["CODES"]]

    assert "code_not_found" in codes["404"]
    assert "too_many_requests" in codes["429"] or "rate_limited" in codes["429"]
