"""Webhooks in the OpenAPI document."""

from datetime import UTC, datetime
from typing import Literal

import jsonschema_rs
import pytest
from fastapi import Depends, FastAPI

from goodword.sessions.auth import bearer
from goodword.web import openapi
from goodword.web.openapi_webhooks import Webhook
from goodword.web.schemas import Instant, Output


class ThingData(Output):
    id: str


class ThingHappenedRead(Output):
    type: Literal["thing.happened"] = "thing.happened"
    timestamp: Instant
    sequence: int
    data: ThingData


@pytest.fixture
def document():
    app = FastAPI()
    app.get("/livez", tags=["Health"], dependencies=[Depends(bearer)])(lambda: None)
    webhook = Webhook(
        "thing.happened", "A thing happened", "Something happened to a thing.", ThingHappenedRead
    )
    openapi.install(
        app, public_url="https://goodword.example", scopes={}, server_scopes={}, webhooks=[webhook],
        clock=lambda: datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    return app.openapi()


def test_a_webhook_has_a_name_a_body_and_the_headers_of_its_signature(document):
    sent = document["webhooks"]["thing.happened"]["post"]
    content = sent["requestBody"]["content"]["application/json"]

    assert (sent["operationId"], sent["tags"], sent["security"]) == ("thing_happened", ["Webhooks"], [])
    assert [one["name"] for one in sent["parameters"]] == [
        "webhook-id", "webhook-timestamp", "webhook-signature",
    ]  # fmt: skip
    assert set(sent["responses"]) == {"204", "410"}
    assert content["schema"] == {"$ref": "#/components/schemas/ThingHappened"}
    assert content["example"]["type"] == "thing.happened"
    jsonschema_rs.validate({"components": document["components"], **content["schema"]}, content["example"])


def test_webhooks_are_no_operations(document):
    assert list(document["paths"]) == ["/livez"]
