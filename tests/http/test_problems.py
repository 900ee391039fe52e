"""Every answer that is not 2xx: a problem document, with nothing of the request in it."""

import json
import uuid
from typing import Any

import pytest
from pydantic_core._pydantic_core import list_all_errors
from sqlalchemy import insert

from asgi import client_of, forget_limits, running, settings_for
from goodword.app import create_app
from goodword.users.models import User
from goodword.web.dependencies import Session
from goodword.web.problems import SCHEMA_VALUES, message_of
from operations import json_operations, make_admin
from people import PASSWORD, register, sign_in
from sweeps import Sweep

pytestmark = pytest.mark.one_database

KEYS = {"type", "title", "status", "detail", "code", "request_id"}
OPERATIONS = json_operations()
CANARY = "c4n4ry"


async def every_kind(person):
    """An answer for each status that a client can provoke."""
    call, api = person.call, person.api
    users = "/api/v1/users"
    typed = {"Content-Type": "application/json"}
    return {
        400: await api.post(users, content=b"{", headers=typed),
        401: await api.get("/api/v1/me"),
        403: await call("DELETE", "/api/v1/me", json={"password": "not hers"}),
        404: await api.get("/nowhere"),
        405: await api.put(users),
        409: await register(api, person.name),
        413: await api.post(users, content=b"{" + b" " * 65_536, headers=typed),
        415: await api.post(users, content=b"{}"),
        422: await api.post(users, json={}),
    }


async def test_it_has_one_form(alice):
    for status, answer in (await every_kind(alice)).items():
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem.keys() == (KEYS | {"errors"} if status == 422 else KEYS), status
        assert (answer.status_code, problem["status"]) == (status, status)
        assert problem["type"] == f"urn:goodword:problem:{problem['code']}"
        assert all(isinstance(problem[key], str) and problem[key] for key in KEYS - {"status"})


async def test_its_request_id_is_that_of_the_answer(alice):
    answers = (await every_kind(alice)).values()

    ids = [answer.json()["request_id"] for answer in answers]

    assert ids == [answer.headers["x-request-id"] for answer in answers]
    assert len({uuid.UUID(one) for one in ids}) == len(ids)


async def test_the_request_id_is_ours(api):
    answer = await api.get("/nowhere", headers={"X-Request-ID": CANARY})

    assert CANARY not in answer.text + answer.headers["x-request-id"]


async def test_each_wrong_field_is_named_once(api):
    body = {"email": "nowhere", "password": 1, "first_name": "", "is_admin": True}

    errors = (await api.post("/api/v1/users", json=body)).json()["errors"]

    assert sorted(error["field"] for error in errors) == [
        "body.email",
        "body.first_name",
        "body.is_admin",
        "body.password",
    ]
    assert all(error.keys() == {"field", "code", "message"} for error in errors)


WRONG_TYPES = [CANARY, [CANARY], {CANARY: CANARY}, [[{"a": [CANARY]}]]]


@pytest.mark.one_database
async def test_it_does_not_repeat_a_value_of_a_wrong_type(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field, kind in operation.kinds.items():
                    # The items of a list are refused one by one, and the fields of an object by their names.
                    wrong = {
                        "string": WRONG_TYPES[1:],
                        "array": WRONG_TYPES[2:3],
                        "object": [*WRONG_TYPES[:2], *WRONG_TYPES[3:]],
                    }
                    for value in wrong.get(kind, WRONG_TYPES):
                        answer = await operation.with_field(alice, field, value)
                        assert (answer.status_code, CANARY in answer.text) == (422, False), field


@pytest.mark.one_database
async def test_it_does_not_repeat_a_hostile_value(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field in operation.fields("string") + operation.fields("email"):
                    for value in (f"{CANARY}\0", f"{CANARY}\ud800", CANARY * 10_000):
                        answer = await operation.with_field(alice, field, value)
                        assert (answer.status_code, CANARY in answer.text) == (422, False), field


NAMES = [
    f"<b>{CANARY}</b>",
    f"{CANARY}\ud800",
    f"{CANARY} ",
    f"{CANARY}\0",
    f"{CANARY}.x",
    CANARY * 20,
    f"é{CANARY}",
]


@pytest.mark.one_database
async def test_it_does_not_repeat_the_name_of_a_strange_field(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for name in NAMES:
                    answer = await operation.with_field(alice, name, CANARY)
                    assert (answer.status_code, CANARY in answer.text) == (422, False), ascii(name)


async def test_it_does_not_repeat_what_was_tried(alice):
    secret = f"{CANARY}-password"
    answers = [
        await sign_in(alice.api, f"{CANARY}@example.com", secret),
        await sign_in(alice.api, alice.email, secret),
        await register(alice.api, CANARY, password="short"),
        await register(alice.api, CANARY, password=secret * 30),
        await register(alice.api, CANARY, referral_code=CANARY),
        await register(alice.api, CANARY, email=f"{CANARY}@"),
        await alice.delete("/api/v1/me", json={"password": secret}),
        await alice.api.get(f"/{CANARY}"),
        await alice.api.get(f"/api/v1/referral-codes/{CANARY}"),
        await alice.api.get("/api/v1/referral-codes/by-email", params={"email": f"{CANARY}@x.com"}),
        await alice.get(f"/api/v1/users/{CANARY}/referrals"),
        await alice.get("/api/v1/me/referral-codes", params={"cursor": CANARY, "status": CANARY}),
        await alice.api.get("/api/v1/me", headers={"Authorization": f"Bearer {CANARY}"}),
        await alice.api.post("/api/v1/users", content=f'{{"{CANARY}": {CANARY}'.encode()),
        await alice.api.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": CANARY}),
        await alice.api.post("/oauth/token", data={"grant_type": CANARY}),
    ]

    assert [answer.text for answer in answers if answer.is_success or CANARY in answer.text.lower()] == []


def test_no_message_of_the_validator_repeats_what_was_sent():
    with Sweep() as sweep:
        for known in list_all_errors():
            with sweep.case(f"{known!a}"):
                context = known.get("example_context") or {}
                of_input = context.keys() - SCHEMA_VALUES - {"actual_length", "field_type"}
                message = CANARY if of_input else known["example_message_python"]

                said = message_of({"type": known["type"], "msg": message, "ctx": context})

                assert CANARY not in said


@pytest.mark.one_database
async def test_what_is_no_uuid_is_not_repeated(alice, app):
    with Sweep() as sweep:
        for text in [
            "q",
            "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8dqq",
            "ü",
            "<b>",
            "%F0%9F%98%80",
            "%E2%80%AE",
            "%00",
        ]:
            forget_limits(app)
            with sweep.case(f"{text!a}"):
                answer = await alice.get(f"/api/v1/users/{text}/referrals")

                assert answer.status_code == 422
                assert answer.json()["errors"][0]["message"].startswith("Send a UUID, such as")


async def test_a_password_does_not_come_back(api):
    typed = json.dumps({"email": "bob@example.com", "password": PASSWORD, "first_name": ["Bob"]})

    answer = await api.post("/api/v1/users", content=typed, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert "bob@example.com" not in answer.text


async def test_a_fault_of_the_database_quotes_no_row(app, database_url, capsys):
    """Neither in the answer nor in the log. `app` empties the database."""
    service = create_app(settings_for(database_url))

    @service.get("/fault", include_in_schema=False)
    async def fault(session: Session):
        values = {"id": uuid.uuid4(), "email": f"{CANARY}@example.com"}
        table: Any = User.__table__
        await session.execute(insert(table).values(values | {"created_at": None}))

    async with running(service), client_of(service) as client:
        answer = await client.get("/fault")

    logged = "".join(capsys.readouterr())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "IntegrityError" in logged
    assert CANARY not in answer.text + logged
