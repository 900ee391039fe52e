"""A revoked API key: refused by every node within a second, also with calls in flight, and readable nowhere."""

import asyncio
import logging
import time

import pytest
from sqlalchemy import text

from asgi import client_of
from database_search import find_words
from goodword.api_keys import service as api_keys
from second_service import second_service
from server_keys import make_key

SCOPES = ("participants:read", "participants:write")
FELT_WITHIN = 1.0
"""Seconds, as promised for every node, with Redis or without."""
AT_ONCE = 100
BUSY = {503}
"""With so many calls at once, a slow machine refuses some."""


def put(api, key, external_id):
    headers = {"Authorization": f"Bearer {key}"}
    return api.put(f"/api/v1/participants/{external_id}", json={}, headers=headers)


async def revoke_all(app):
    services = app.state.services
    async with services.database.transaction() as session:
        for key in await api_keys.list_keys(session):
            assert await api_keys.revoke_by_id(session, key.id, now=services.clock())


async def test_with_100_calls_in_flight_every_node_refuses_it_within_a_second(app, database_url):
    key, revoked_at = await make_key(app, SCOPES), float("inf")
    answers = []

    async def keep_calling(api, number):
        n = 0
        while time.monotonic() < revoked_at + FELT_WITHIN + 0.5:
            began, name = time.monotonic(), f"{number}-{n}"
            answer = await put(api, key, name)
            answers.append((began, name, answer.status_code))
            n += 1

    async with second_service(database_url) as there, client_of(app) as here:
        nodes = (here, there)
        calling = [asyncio.create_task(keep_calling(nodes[n % 2], n)) for n in range(AT_ONCE)]
        await asyncio.sleep(0.5)
        await revoke_all(app)
        revoked_at = time.monotonic()
        await asyncio.gather(*calling)
        afterwards = [(await put(node, key, "afterwards")).status_code for node in nodes]

    assert afterwards == [401, 401]
    answered = {status for _, _, status in answers}
    assert answered - BUSY == {201, 401}
    late = {status for began, _, status in answers if began > revoked_at + FELT_WITHIN}
    assert late - BUSY == {401}
    async with app.state.services.database.readers() as session:
        made = set(await session.scalars(text("SELECT external_id FROM users")))
    assert made == {name for _, name, status in answers if status == 201}


async def test_a_key_stands_in_no_table_and_no_line_of_the_log(app, api, capsys, caplog):
    caplog.set_level(logging.DEBUG)
    key = await make_key(app, SCOPES)
    assert (await put(api, key, "customer-1")).status_code == 201
    wrong = f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}"
    refused = await put(api, wrong, "customer-1")
    invalid = await api.put(
        f"/api/v1/participants/{key}", json={"email": key}, headers={"Authorization": key}
    )
    await revoke_all(app)
    assert (await put(api, key, "customer-1")).status_code == 401

    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    said = "".join([*capsys.readouterr(), *lines])
    for secret in (key, wrong, key.removeprefix("gwk_")[:20]):
        assert await find_words(app, secret) == set()
        assert secret not in said
        assert secret not in refused.text + invalid.text


@pytest.mark.one_database
@pytest.mark.parametrize(
    "token",
    ["gwk_", "gwk_" + "a" * 48, "gwk_" + "a" * 100_000, "gwk_\u00e9", "GWK_abc", "gwk_ abc", "gwk_%00"],
)
async def test_a_text_that_is_no_key_is_refused_without_a_look_at_the_database(app, api, token, monkeypatch):
    def must_not_ask(*_arguments, **_values):
        raise AssertionError("the database was asked")

    await api.get("/api/v1/participants/customer-1", headers={"Authorization": "Bearer gwk_"})
    monkeypatch.setattr(app.state.services.database, "rows", must_not_ask)
    answer = await api.get(
        "/api/v1/participants/customer-1", headers={"Authorization": f"Bearer {token}".encode()}
    )

    assert answer.status_code in {401, 431}
    if answer.status_code == 401:
        assert answer.json()["code"] == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
