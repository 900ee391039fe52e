"""/admin/programs/{slug}/rules: the reward rules of a program, forms that change them, and pools of coupons."""

import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.money import decimal_of, minor_units
from goodword.programs import service as programs
from goodword.programs.fields import DAY
from goodword.rewards import coupons, rules
from goodword.rewards.models import RewardKind, RewardRule
from goodword.rewards.rules_api import CouponsCreate
from goodword.rewards.schemas import RuleWrite
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.users import service as users
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other

router = admin_router()

RULES_PATH = "/programs/{slug}/rules"
RULE_PATH = RULES_PATH + "/{rule_id:uuid}"
MAX_RULES = 100
FIELDS = (
    "trigger", "beneficiary", "kind", "description", "amount_minor", "basis_points", "min_amount_minor",
    "max_events", "within", "cap_count", "cap_per", "hold", "approval", "codes",
)  # fmt: skip
DEFAULTS = {"trigger": "purchase", "hold": "14"}
DONE = {
    "created": to_translate("The rule is active."),
    "ended": to_translate("The rule has ended. Rewards that exist stay."),
    "coupons": to_translate("The coupons are in the pool."),
}


@router.get(RULES_PATH)
async def show_rules(slug: str, request: Request, visitor: Administrator, reader: Reader) -> Response:
    """Show the active rules of a program, and the form for a new one."""
    return await _page(request, reader, visitor, slug, DEFAULTS)


@router.post(RULES_PATH)
async def create_rule(
    slug: str, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Create a rule with the terms in the form."""
    given = await read_form(request)
    program = await programs.get(session, slug)
    try:
        body = RuleWrite.model_validate(_terms(given, program.currency))
        async with session.begin_nested():
            await rules.create(session, program, body, now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, slug, given, error=error)
    return _redirect(request, slug, "created")


@router.post(RULE_PATH + "/end")
async def end_rule(
    slug: str, rule_id: uuid.UUID, request: Request, session: Session, clock: Clock
) -> Response:
    """End a rule."""
    await rules.retire(session, await programs.get(session, slug), rule_id, now=clock())
    return _redirect(request, slug, "ended")


@router.post(RULE_PATH + "/coupons")
async def upload_coupons(
    slug: str, rule_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Add coupons, one a line, to the pool of a rule."""
    given = await read_form(request)
    rule = await rules.get(session, await programs.get(session, slug), rule_id)
    lines = [line.strip() for line in given.get("codes", "").splitlines()]
    try:
        body = CouponsCreate(codes=[line for line in lines if line])
        async with session.begin_nested():
            await coupons.add(session, rule, body.codes, now=clock())
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, slug, DEFAULTS, error=error, of=rule_id)
    return _redirect(request, slug, "coupons")


def _redirect(request: Request, slug: str, done: str) -> Response:
    return see_other(f"{link(request, f'/admin/programs/{slug}/rules')}?done={done}")


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    slug: str,
    given: Mapping[str, str],
    *,
    error: AppError | ValidationError | None = None,
    of: uuid.UUID | None = None,
) -> Response:
    program = await programs.get(session, slug)
    found = await rules.list_rules(session, program, after=None, limit=MAX_RULES)
    pools = {
        rule.rule_id: await coupons.count(session, rule.rule_id)
        for rule in found
        if rule.kind == RewardKind.COUPON
    }
    return page(
        request,
        "admin_rules.html",
        **error_context(request, error, FIELDS),
        here=link(request, f"/admin/programs/{slug}/rules"),
        user=await users.get(session, visitor.user_id),
        program=program,
        rules=[(rule, _share(rule)) for rule in found[:MAX_RULES]],
        pools=pools,
        of=of,
        given={name: given.get(name, "") for name in FIELDS},
        done=done_text(request, DONE) if error is None else None,
        form_token=services_of(request).page_cookies.form_token(visitor),
    )


def _share(rule: RewardRule) -> str:
    """Return the percentage of a rule, such as `7.5`."""
    return "" if rule.basis_points is None else f"{decimal_of(rule.basis_points, 'USD').normalize():f}"


def _terms(given: Mapping[str, str], currency: str) -> Mapping[str, Any]:
    """Return the terms in a form: amounts in major units, a percentage, and periods in days."""
    texts = {name: given.get(name, "").strip() for name in FIELDS}
    of_amount = None if texts["kind"] == RewardKind.POINTS else currency
    read: dict[str, Any] = {
        "amount_minor": minor_units(texts["amount_minor"], of_amount),
        "min_amount_minor": minor_units(texts["min_amount_minor"], currency),
        "basis_points": minor_units(texts["basis_points"], "USD"),
        "max_events": minor_units(texts["max_events"], None),
    }
    for name in ("within", "hold"):
        days = minor_units(texts[name], None)
        read[name] = None if days is None else days * DAY
    terms = {
        name: texts[name] if read.get(name) is None else read[name]
        for name in FIELDS
        if texts[name] and name not in {"cap_count", "cap_per", "codes"}
    }
    if texts["cap_count"]:
        count = minor_units(texts["cap_count"], None)
        terms["cap"] = {"count": texts["cap_count"] if count is None else count, "per": texts["cap_per"]}
    return terms
