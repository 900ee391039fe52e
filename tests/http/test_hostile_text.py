"""Text that hides, reorders or breaks other text: refused in every field of every body, on both databases."""

import json
from secrets import token_bytes

import pytest

from asgi import forget_limits
from operations import json_operations, make_admin, wrong_fields
from sweeps import Sweep

pytestmark = pytest.mark.one_database

OPERATIONS = json_operations()
REGISTER = next(one for one in OPERATIONS if str(one) == "POST /api/v1/users")

HOSTILE = [
    *(chr(code) for code in range(0x20)),  # C0
    *(chr(code) for code in range(0x7F, 0xA0)),  # DEL, C1
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",  # of direction
    *"\u2028\u2029",
    *"\ud800\udbff\udc00\udfff",
    "\ude00\ud83d",  # a pair the wrong way round
]
SOME = ["\0", "\t", "\n", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\u2028", "\ud800", "\udfff"]


def texts(operation):
    """Return the fields of text; a referral code is read as people paste it, with layout around and inside it."""
    names = operation.fields("string") + operation.fields("email")
    pasted = "code" if operation.path.endswith("/validate") else "referral_code"
    return [name for name in names if name != pasted]


async def test_it_is_refused(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for field in texts(operation):
                    app.state.services.rate_limiter.key = token_bytes(32)  # as another network
                    start = operation.example.get(field, "text")
                    for hostile in SOME:
                        for value in (
                            hostile,
                            hostile + start,
                            start[:2] + hostile + start[2:],
                            start + hostile,
                        ):
                            answer = await operation.with_field(alice, field, value)
                            assert wrong_fields(answer) == [f"body.{field}"], (field, ascii(value))


@pytest.mark.parametrize("field", ["email", "password", "first_name"])
async def test_none_of_it_gets_into_an_account(alice, field):
    for hostile in HOSTILE:
        value = f"{REGISTER.example[field][:2]}{hostile}{REGISTER.example[field][2:]}"
        assert wrong_fields(await REGISTER.with_field(alice, field, value)) == [f"body.{field}"], ascii(
            hostile
        )


async def test_it_is_refused_as_the_name_of_a_field(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for operation in OPERATIONS:
            forget_limits(app)
            with sweep.case(f"{operation}"):
                for name in (
                    "\0",
                    "\n",
                    "\u202e",
                    "\ud800",
                    "x\udfffx",
                    "<script>",
                    "",
                    "a" * 5000,
                    "é",
                    "body.email",
                ):
                    answer = await operation.with_field(alice, name, "x")
                    assert wrong_fields(answer) == ["body"], ascii(name)[:40]


LONG = {"60,000": "x" * 60_000, "a pile of accents": "a" + "\u0301\u0323" * 14_000, "blanks": " " * 60_000}


async def test_a_field_has_an_end(alice, app):
    await make_admin(alice, app)
    with Sweep() as sweep:
        for value in LONG.values():
            for operation in OPERATIONS:
                forget_limits(app)
                with sweep.case(f"{value!a} {operation}"):
                    for field in texts(operation):
                        body = json.dumps(operation.example | {field: value}, ensure_ascii=False)
                        assert wrong_fields(await operation.send(alice, body)) == [f"body.{field}"], field
