"""Alice's code, a browser, and programs as a test needs them."""

from uuid import UUID

import pytest
from sqlalchemy import update

from asgi import client_of
from goodword.codes import service as codes
from goodword.codes.schemas import CodeCreate
from goodword.programs import service as programs
from goodword.programs.models import DEFAULT_PROGRAM_ID, Program
from goodword.programs.schemas import ProgramCreate
from goodword.users.service import LOCKED
from people import as_a_request, make_code
from third_party import Browser

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


async def make_program(app, **fields):
    """Make a running program."""
    services = app.state.services
    body = ProgramCreate.model_validate({"name": "Other", **fields})
    async with services.database.transaction() as session:
        return await programs.create(session, services.settings, body, now=services.clock())


async def make_code_in(app, owner, program, **fields):
    """Make a code of a program."""
    services, body = app.state.services, CodeCreate.model_validate({"lifetime": 3600, **fields})
    with as_a_request(services):
        async with services.database.transaction() as session:
            user = await session.scalar(LOCKED, {"user_id": UUID(owner.id)})
            await codes.create(session, services, user, body, program_id=program.id, now=services.clock())


@pytest.fixture
async def browser(app):
    """Yield the browser of a person. The other clients of the tests count as robots."""
    async with client_of(app) as client:
        client.headers["User-Agent"] = FIREFOX
        yield Browser(client)


@pytest.fixture
async def code(alice):
    return (await make_code(alice, code="ALICE-2026"))["code"]


@pytest.fixture
def change_program(app):
    """Return a function that sets fields of the default program."""

    async def change(**values):
        async with app.state.services.database.transaction() as session:
            await session.execute(update(Program).where(Program.id == DEFAULT_PROGRAM_ID).values(values))
            programs.invalidate(session)

    return change


@pytest.fixture
def touches(app, rows):
    """Return a function that reads columns of the touches, oldest first."""

    async def read(columns="code_id"):
        await app.state.services.touches.flush()
        return await rows(f"SELECT {columns} FROM touches ORDER BY created_at, id")

    return read
