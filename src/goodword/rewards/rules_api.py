"""API of reward rules and their coupons, for the servers of a product and for administrators."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from goodword.api_keys.auth import ProgramsReader, ProgramsWriter
from goodword.programs import service as programs
from goodword.rewards import coupons, rules
from goodword.rewards.models import RewardRule
from goodword.rewards.schemas import RuleList, RuleRead, RuleWrite
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input, Output, Text, example

PREFIX = "/api/v1/programs/{slug}/reward-rules"
NOT_FOUND = (programs.ProgramNotFound, rules.RuleNotFound)
Slug = Annotated[str, Path(description="The slug of the program.", examples=["acme"])]
RuleId = Annotated[uuid.UUID, Path(description="The id of the rule.")]

router = APIRouter(prefix=PREFIX, tags=["Reward rules"], route_class=JsonRoute)


def _coupon(code: str) -> str:
    if code != code.strip():
        raise PydanticCustomError("coupon_blank", "Must not begin or end with a blank.")
    return code


CouponCode = Annotated[Text, Field(min_length=1, max_length=255), AfterValidator(_coupon)]


class CouponsCreate(Input):
    model_config = example({"codes": ["SPRING-7Q2X", "SPRING-9KLM"]})

    codes: list[CouponCode] = Field(min_length=1, max_length=1000)


class CouponPool(Output):
    """The pool of coupons of a rule."""

    added: int = Field(description="Coupons of this call that the pool did not have.", examples=[2])
    free: int = Field(examples=[2])
    total: int = Field(examples=[2])


def read_rule(rule: RewardRule) -> RuleRead:
    """Return the active version of a rule as the API shows it."""
    terms = RuleWrite.of(rule).model_dump(by_alias=True)
    return RuleRead.model_validate(
        terms | {"id": rule.rule_id, "version": rule.version, "created_at": rule.created_at}
    )


@router.get("", summary="List reward rules", responses=problems(programs.ProgramNotFound, CursorInvalid))
async def list_reward_rules(
    slug: Slug,
    request: Request,
    caller: ProgramsReader,
    reader: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RuleList:
    """Return the active rules of a program, newest version first."""
    cursors = services_of(request).cursors
    program = await programs.get(reader, slug, within=caller.program_id)
    name = f"reward rules {program.id}"
    found = await rules.list_rules(reader, program, after=cursors.read(cursor, of=name), limit=limit)
    rows, following = cursors.cut(found, limit, of=name)
    return RuleList(items=[read_rule(row) for row in rows], next_cursor=following)


@router.post(
    "",
    summary="Create a reward rule",
    status_code=201,
    response_model=RuleRead,
    responses=problems(
        programs.ProgramNotFound,
        KeyReused,
        KeyInUse,
        location="/api/v1/programs/acme/reward-rules/019a5e8c-0000-7000-8000-000000000000",
    ),
)
async def create_reward_rule(
    slug: Slug,
    body: RuleWrite,
    caller: ProgramsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Create a rule. It counts for events that are received from now on, on every node within half a second."""

    async def effect(_: None) -> Answer:
        program = await programs.get(session, slug, within=caller.program_id)
        rule = await rules.create(session, program, body, now=clock())
        return Answer(read_rule(rule), location=f"{PREFIX.format(slug=slug)}/{rule.rule_id}")

    return await once.run(session, body, caller=caller.caller, effect=effect)


@router.get("/{rule_id}", summary="Get a reward rule", responses=problems(*NOT_FOUND))
async def get_reward_rule(slug: Slug, rule_id: RuleId, caller: ProgramsReader, reader: Reader) -> RuleRead:
    """Return the active version of a rule."""
    program = await programs.get(reader, slug, within=caller.program_id)
    return read_rule(await rules.get(reader, program, rule_id))


@router.put(
    "/{rule_id}",
    summary="Replace a reward rule",
    response_model=RuleRead,
    responses=problems(*NOT_FOUND, KeyReused, KeyInUse),
)
async def replace_reward_rule(
    slug: Slug,
    rule_id: RuleId,
    body: RuleWrite,
    caller: ProgramsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Replace a rule by a new version. Rewards that exist keep the version that made them."""

    async def effect(_: None) -> Answer:
        program = await programs.get(session, slug, within=caller.program_id)
        rule = await rules.replace(session, program, rule_id, body, now=clock())
        return Answer(read_rule(rule), status=200)

    return await once.run(session, body, caller=caller.caller, effect=effect)


@router.delete("/{rule_id}", summary="End a reward rule", status_code=204, responses=problems(*NOT_FOUND))
async def delete_reward_rule(
    slug: Slug, rule_id: RuleId, caller: ProgramsWriter, session: Session, clock: Clock
) -> None:
    """End a rule. Rewards that exist stay, and what is pending is still approved."""
    program = await programs.get(session, slug, within=caller.program_id)
    await rules.retire(session, program, rule_id, now=clock())


@router.post(
    "/{rule_id}/coupons",
    summary="Add coupons to the pool of a rule",
    status_code=201,
    response_model=CouponPool,
    responses=problems(*NOT_FOUND, coupons.NotACouponRule, KeyReused, KeyInUse),
)
async def add_coupons(
    slug: Slug,
    rule_id: RuleId,
    body: CouponsCreate,
    caller: ProgramsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Add up to 1,000 coupons. Each reward of the rule takes one. Coupons that the pool has already are left out."""

    async def effect(_: None) -> Answer:
        program = await programs.get(session, slug, within=caller.program_id)
        rule = await rules.get(session, program, rule_id)
        added = await coupons.add(session, rule, body.codes, now=clock())
        free, total = await coupons.count(session, rule_id)
        return Answer(CouponPool(added=added, free=free, total=total))

    return await once.run(session, body, caller=caller.caller, effect=effect)
