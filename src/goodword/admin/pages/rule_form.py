"""/admin/programs/{slug}/rules/new and /{rule_id}: the form of a reward rule, and the pool of its coupons."""

import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin.pages import rule_terms
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.admin.pages.rules import DONE, RULE_PATH, RULES_PATH
from goodword.errors import AppError, Conflict
from goodword.languages import to_translate
from goodword.money import minor_units
from goodword.programs import service as programs
from goodword.programs.models import Program
from goodword.rewards import coupons, rules
from goodword.rewards.models import RewardKind, RewardRule
from goodword.rewards.rules_api import CouponsCreate
from goodword.rewards.schemas import MAX_TIERS
from goodword.sessions.cookies import Visitor
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html import messages
from goodword.web.html.rendering import link, see_other, translate_for

router = admin_router()

COUPONS_DONE = {"coupons": to_translate("The coupons are in the pool.")}


@router.get(RULES_PATH + "/new")
async def show_new_rule(slug: str, request: Request, visitor: Administrator, reader: Reader) -> Response:
    """Show the form for a rule."""
    program = await programs.get(reader, slug)
    return await _page(request, reader, visitor, program, None, rule_terms.DEFAULTS)


@router.post(RULES_PATH + "/new")
async def create_rule(
    slug: str, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Create a rule with the terms in the form."""
    given = await read_form(request)
    program = await programs.get(session, slug)
    if "more" in given:
        return await _page(request, session, visitor, program, None, _with_more_rows(given))
    body, errors = rule_terms.read(given, program, None)
    if body is None:
        return await _page(request, session, visitor, program, None, given, errors=errors)
    await rules.create(session, program, body, now=clock())
    return _redirect(request, slug, "created")


@router.get(RULE_PATH)
async def show_rule(
    slug: str, rule_id: uuid.UUID, request: Request, visitor: Administrator, reader: Reader
) -> Response:
    """Show the active version of a rule, in a form that replaces it."""
    program = await programs.get(reader, slug)
    rule = await rules.get(reader, program, rule_id)
    return await _page(request, reader, visitor, program, rule, rule_terms.texts_of(rule, program))


@router.post(RULE_PATH)
async def change_rule(
    slug: str, rule_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Replace a rule by a version with the terms in the form, if it has the version that the form was made for."""
    given = await read_form(request)
    program = await programs.get(session, slug)
    rule = await rules.get(session, program, rule_id)
    if "more" in given:
        return await _page(request, session, visitor, program, rule, _with_more_rows(given))
    body, errors = rule_terms.read(given, program, rule)
    if body is None:
        return await _page(request, session, visitor, program, rule, given, errors=errors)
    version = minor_units(given.get("version", ""), None)
    try:
        changed = await rules.replace(session, program, rule_id, body, version=version or 0, now=clock())
    except Conflict as error:
        rule = await rules.get(session, program, rule_id)
        return await _page(request, session, visitor, program, rule, given, error=error)
    return _redirect(request, slug, "unchanged" if changed.version == version else "changed")


@router.post(RULE_PATH + "/coupons")
async def upload_coupons(
    slug: str, rule_id: uuid.UUID, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Add coupons, one a line, to the pool of a rule."""
    given = await read_form(request)
    program = await programs.get(session, slug)
    rule = await rules.get(session, program, rule_id)
    lines = [line.strip() for line in given.get("codes", "").splitlines()]
    try:
        body = CouponsCreate(codes=[line for line in lines if line])
        async with session.begin_nested():
            await coupons.add(session, rule, body.codes, now=clock())
    except ValidationError as error:
        errors = {"codes": error.errors(include_input=False)[0]["type"]}
    except coupons.NotACouponRule as error:
        errors = {"codes": error.code}
    else:
        return see_other(f"{link(request, f'/admin/programs/{slug}/rules/{rule_id}')}?done=coupons")
    texts = rule_terms.texts_of(rule, program) | {"codes": given.get("codes", "")}
    return await _page(request, session, visitor, program, rule, texts, errors=errors)


def _with_more_rows(given: Mapping[str, str]) -> Mapping[str, str]:
    return {**given, "rows": str(min(rule_terms.rows_of(given) + rule_terms.ROWS, MAX_TIERS))}


def _redirect(request: Request, slug: str, done: str) -> Response:
    return see_other(f"{link(request, f'/admin/programs/{slug}/rules')}?done={done}")


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    program: Program,
    rule: RewardRule | None,
    given: Mapping[str, str],
    *,
    errors: Mapping[str, str] | None = None,
    error: AppError | None = None,
) -> Response:
    """Return the form of a rule, or of a new one. `errors` are codes by field, and `given` the texts in the form."""
    rows = rule_terms.rows_of(given)
    found = {
        name: translate_for(request, messages.TEXTS.get(code, messages.NOT_POSSIBLE))
        for name in (*rule_terms.names(rows), "codes")
        if (code := (errors or {}).get(name)) is not None
    }
    pool: Any = None
    if rule is not None and rule.kind == RewardKind.COUPON:
        pool = await coupons.count(session, rule.rule_id)
    return await admin_page(
        request,
        session,
        visitor,
        "admin_rule.html",
        done=DONE | COUPONS_DONE,
        error=translate_for(request, messages.CHECK_FIELDS) if found else error,
        errors=found,
        here=link(request, f"/admin/programs/{program.slug}/rules/{rule.rule_id if rule else 'new'}"),
        program=program,
        rule=rule,
        pool=pool,
        rows=rows,
        max_rows=MAX_TIERS,
        has_tiers=rows > rule_terms.ROWS or any(name.startswith("tier") for name in (*given, *found)),
        given={name: given.get(name, "") for name in (*rule_terms.names(rows), "codes")},
    )
