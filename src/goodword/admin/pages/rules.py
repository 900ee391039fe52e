"""/admin/programs/{slug}/rules: the reward rules of a program, and the page that ends one."""

import uuid

from fastapi import Request, Response

from goodword.admin.pages import rule_terms
from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.languages import to_translate
from goodword.programs import service as programs
from goodword.rewards import calculation, coupons, rules
from goodword.rewards.models import RewardKind, RewardRule
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.html.rendering import link, see_other

router = admin_router()

RULES_PATH = "/programs/{slug}/rules"
RULE_PATH = RULES_PATH + "/{rule_id:uuid}"
PAGE_SIZE = 20
DONE = {
    "created": to_translate("The rule is active."),
    "changed": to_translate("The new version is active. Rewards that exist keep the version that made them."),
    "unchanged": to_translate("Nothing was changed."),
    "ended": to_translate("The rule has ended. Rewards that exist stay."),
}


@router.get(RULES_PATH)
async def show_rules(slug: str, request: Request, visitor: Administrator, reader: Reader) -> Response:
    """Show the active rules of a program, those that were changed last first."""
    program, cursors = await programs.get(reader, slug), services_of(request).cursors
    name = f"reward rules {program.id}"
    after = cursors.read(request.query_params.get("cursor"), of=name)
    found = await rules.list_rules(reader, program, after=after, limit=PAGE_SIZE)
    rows, following = cursors.cut(found, PAGE_SIZE, of=name)
    pools = {
        rule.rule_id: await coupons.count(reader, rule.rule_id)
        for rule in rows
        if rule.kind == RewardKind.COUPON
    }
    return await admin_page(
        request,
        reader,
        visitor,
        "admin_rules.html",
        done=DONE,
        errors={},
        program=program,
        rules=[(rule, rule_terms.percent(rule.basis_points), _tiers(rule)) for rule in rows],
        pools=pools,
        asked={},
        following=following,
    )


@router.get(RULE_PATH + "/end")
async def show_end(
    slug: str, rule_id: uuid.UUID, request: Request, visitor: Administrator, reader: Reader
) -> Response:
    """Ask whether to end a rule."""
    program = await programs.get(reader, slug)
    rule = await rules.get(reader, program, rule_id)
    return await admin_page(request, reader, visitor, "admin_rule_end.html", program=program, rule=rule)


@router.post(RULE_PATH + "/end")
async def end_rule(
    slug: str, rule_id: uuid.UUID, request: Request, session: Session, clock: Clock
) -> Response:
    """End a rule."""
    await rules.retire(session, await programs.get(session, slug), rule_id, now=clock())
    return see_other(f"{link(request, f'/admin/programs/{slug}/rules')}?done=ended")


def _tiers(rule: RewardRule) -> list[tuple[int, int | None, str]]:
    """Return from how many referrals on a rule gives which amount or percentage."""
    return [
        (tier["from"], tier.get("amount_minor"), rule_terms.percent(tier.get("basis_points")))
        for tier in calculation.tiers_of(rule)
    ]
