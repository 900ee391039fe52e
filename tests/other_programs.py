"""Programs beside the default one, and codes in them."""

from typing import Any
from uuid import UUID

from asgi import Client
from goodword.codes import service as codes
from goodword.codes.schemas import CodeCreate
from goodword.programs import service as programs
from goodword.programs.models import Program
from goodword.programs.schemas import ProgramCreate, ProgramUpdate
from goodword.users import service as users
from people import Person, as_a_request


async def make_program(api: Client, slug: str = "acme", **fields: Any) -> Program:
    services = api.app.state.services
    body = ProgramCreate.model_validate({"slug": slug, "name": slug.title(), **fields})
    with as_a_request(services):
        async with services.database.transaction() as session:
            return await programs.create(session, services.settings, body, now=services.clock())


async def change_program(api: Client, slug: str = "default", **fields: Any) -> None:
    services, body = api.app.state.services, ProgramUpdate.model_validate(fields)
    with as_a_request(services):
        async with services.database.transaction() as session:
            await programs.update(session, services.settings, slug, body, within=None)


async def make_code_in(owner: Person, program: Program, **fields: Any) -> str:
    """Make a code of theirs in a program, as a product does in their name."""
    services, body = owner.api.app.state.services, CodeCreate.model_validate({"lifetime": 3600, **fields})
    with as_a_request(services):
        async with services.database.transaction() as session:
            user = await users.lock(session, UUID(owner.id))
            code = await codes.create(
                session, services, user, body, program_id=program.id, now=services.clock()
            )
    assert code.code is not None
    return code.code
