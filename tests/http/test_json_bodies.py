"""How every JSON body is read: one object in UTF-8, without repeated names, of the documented types."""

import json

import pytest

from asgi import forget_limits
from operations import json_operations, make_admin, wrong_fields
from people import PASSWORD
from sweeps import Sweep

pytestmark = pytest.mark.one_database

OPERATIONS = json_operations()
REGISTER = next(one for one in OPERATIONS if str(one) == "POST /api/v1/users")
CREATE_CODE = next(one for one in OPERATIONS if str(one) == "POST /api/v1/me/referral-codes")

MALFORMED = {
    "empty": b"",
    "blank": b"  \n",
    "list": b"[]",
    "null": b"null",
    "true": b"true",
    "number": b"0",
    "text": b'"{}"',
    "list of one": b"[{}]",
    "open": b"{",
    "open string": b'{"a": "b',
    "open value": b'{"a":',
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "bare name": b"{a: 1}",
    "comment": b"{} // nothing",
    "two objects": b"{}{}",
    "rubbish behind": b"{} x",
    "NUL behind": b"{}\x00",
    "raw control character": b'{"a": "\n"}',
    "bad escape": b'{"a": "\\x41"}',
    "leading zero": b'{"a": 01}',
    "plus": b'{"a": +1}',
    "hexadecimal": b'{"a": 0x10}',
    "form": b"email=alice%40example.com",
    "XML": b"<user/>",
    "20,000 lists": b"[" * 20_000 + b"]" * 20_000,
    "20,000 lists within": b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "10,000 objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": -Infinity}',
    "1e400": b'{"a": 1e400}',
    "-1e400": b'{"a": [-1e400]}',
    "5,000 digits": b'{"a": ' + b"9" * 5_000 + b"}",
    "twice": b'{"a": 1, "a": 1}',
    "twice, escaped": b'{"a": 1, "\\u0061": 1}',
    "twice within": b'{"a": {"b": 1, "b": 2}}',
    "twice in a list": b'{"a": [{"b": 1, "b": 2}]}',
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "UTF-16": '{"a": "é"}'.encode("utf-16"),
    "UTF-16 without a mark": b"{}".decode().encode("utf-16-le"),
    "UTF-32": b"{}".decode().encode("utf-32"),
    "BOM": b"\xef\xbb\xbf{}",
    "overlong": b'{"a": "\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "cut in a character": '{"a": "é'.encode()[:-1] + b'"}',
    "gzip": b"\x1f\x8b\x08\x00",
}


async def test_what_is_no_object_is_malformed(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                bodies = {name: body for name, body in MALFORMED.items() if body or operation.needs_body}
                answers = {name: await operation.send(alice, body) for name, body in bodies.items()}

                assert {
                    name: answer.text
                    for name, answer in answers.items()
                    if (answer.status_code, answer.json()["code"]) != (400, "malformed_json")
                } == {}


async def test_a_repeated_field_is_malformed(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field in operation.kinds:
                    first, second = (json.dumps({field: operation.example.get(field)}) for _ in range(2))
                    answer = await operation.send(alice, f"{first[:-1]}, {second[1:]}")
                    assert answer.status_code == 400, field
                    assert answer.json()["code"] == "malformed_json", field


UNKNOWN = [
    "is_admin",
    "referrer_id",
    "email_verified",
    "id",
    "status",
    "owner_id",
    "__proto__",
    "Email",
    " email",
]


async def test_an_unknown_field_is_refused(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field in set(UNKNOWN) - operation.kinds.keys():
                    answer = await operation.with_field(alice, field, True)
                    assert wrong_fields(answer) == [f"body.{field}" if field.strip() == field else "body"], (
                        field
                    )
                    assert {error["code"] for error in answer.json()["errors"]} == {"extra_forbidden"}


WRONG = {
    "string": [1, True, 1.5, [], {}, ["x"]],
    "email": [1, True, [], {}],
    "date-time": [1, 1.5, True, "1", 1893456000, "1893456000", "2030-01-31", "tomorrow", [], {}],
    "integer": ["1", True, 1.0, 1.5, "", [], {}],
    "array": [1, True, 1.5, {}],
    "object": [1, True, 1.5, "", []],
    "boolean": ["true", "false", 0, 1, "on", "", [], {}],
}


async def test_no_value_is_taken_for_one_of_another_type(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field, kind in operation.kinds.items():
                    for value in WRONG[kind]:
                        answer = await operation.with_field(alice, field, value)
                        assert wrong_fields(answer) == [f"body.{field}"], (field, value)


async def test_an_odd_number_is_refused(alice, app):
    with Sweep() as sweep:
        for field in CREATE_CODE.fields("integer"):
            for number in ["-0", "-1", "-0.0", "1e2", "60.0", "9" * 4000, "-" + "9" * 4000, "1e-400"]:
                forget_limits(app)
                with sweep.case(f"{field!a} {number!a}"):
                    answer = await CREATE_CODE.send(alice, f'{{"{field}": {number}, "active": true}}')

                    assert answer.status_code == 422
                    assert (await alice.get(CREATE_CODE.path)).json()["items"] == []


async def test_an_unknown_field_makes_no_account(api, rows):
    body = {"email": "bob@example.com", "password": PASSWORD}
    for field in ("is_admin", "referrer_id", "email_verified", "id"):
        assert (await api.post(REGISTER.path, json=body | {field: True})).status_code == 422

    assert await rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize(
    "escaped", [r"bob\u0040example.com", r"\u0062ob@example.com", r"bob@example\u002ecom"]
)
async def test_an_escape_is_what_it_stands_for(api, escaped):
    body = f'{{"email": "{escaped}", "password": "{PASSWORD}"}}'
    answer = await api.post(REGISTER.path, content=body, headers={"Content-Type": "application/json"})

    assert answer.json()["email"] == "bob@example.com"


async def test_a_character_may_be_an_escaped_pair(api):
    body = f'{{"email": "bob@example.com", "password": "{PASSWORD}", "first_name": "\\ud83d\\ude00"}}'
    answer = await api.post(REGISTER.path, content=body, headers={"Content-Type": "application/json"})

    assert answer.json()["first_name"] == "😀"
