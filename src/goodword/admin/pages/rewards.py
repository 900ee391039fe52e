"""/admin/rewards: the rewards, and a reward with its history and the steps that it allows."""

import uuid
from functools import partial
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException

from goodword.admin import reward_tables, service
from goodword.admin.pages import lists
from goodword.admin.pages.access import Administrator, router as admin_router
from goodword.admin.pages.audit_messages import ACTORS
from goodword.errors import AppError
from goodword.languages import to_translate
from goodword.money import minor_units
from goodword.rewards import listing, states
from goodword.rewards.models import Reward, RewardStatus
from goodword.rewards.rewards_api import RewardCancel, RewardFulfill, RewardReverse
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.users import service as users
from goodword.web.dependencies import Clock, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import done_text, link, page, see_other, translate_for

router = admin_router()

REWARD_PATH = "/rewards/{reward_id:uuid}"
STEPS = ("approve", "fulfil", "cancel", "reverse")
FIELDS = ("external_reference", "reason", "amount_minor")
DONE = {
    "approve": to_translate("The reward is approved."),
    "fulfil": to_translate("The reward is recorded as paid or handed over."),
    "cancel": to_translate("The reward is canceled."),
    "reverse": to_translate("The reward is taken back."),
}


@router.get("/rewards")
@router.get("/rewards.csv")
async def show_rewards(request: Request, visitor: Administrator, session: Session, clock: Clock) -> Response:
    """Show rewards by person, program and status. The audit log records the search."""
    programs = (await services_of(request).programs.all()).values()
    asked = lists.read(request, "/admin/rewards", reward_tables.REWARDS, choices=set(RewardStatus))
    find = partial(reward_tables.find_rewards, text=asked.text, status=asked.choice, programs=programs)
    if lists.is_file(request):
        return await lists.send_file(request, asked, find, now=clock())
    return await lists.show(request, session, visitor, "admin_rewards.html", asked, find, records_search=True)


@router.get(REWARD_PATH)
async def show_reward(
    reward_id: uuid.UUID, request: Request, visitor: Administrator, session: Session
) -> Response:
    """Show a reward with its history. The audit log records the view."""
    return await _page(request, session, visitor, reward_id)


@router.post(REWARD_PATH + "/{step}")
async def step_reward(
    reward_id: uuid.UUID, step: str, request: Request, visitor: Administrator, session: Session, clock: Clock
) -> Response:
    """Approve, fulfil, cancel or reverse a reward. Repeating the request changes nothing."""
    if step not in STEPS:
        raise HTTPException(404)
    given = {name: text.strip() for name, text in (await read_form(request)).items() if name in FIELDS}
    reward = await states.lock(session, reward_id, within=None)
    try:
        async with session.begin_nested():
            await _step(request, session, reward, step, given, clock)
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, reward_id, step=step, given=given, error=error)
    return see_other(f"{link(request, f'/admin/rewards/{reward_id}')}?done={step}")


async def _step(
    request: Request, session: AsyncSession, reward: Reward, step: str, given: dict[str, Any], clock: Clock
) -> None:
    services, now = services_of(request), clock()
    body = {name: text for name, text in given.items() if text}
    reason = {name: text for name, text in body.items() if name == "reason"}
    if step == "approve":
        await states.approve(session, services, reward, now=now)
    elif step == "fulfil":
        reference = RewardFulfill(external_reference=body.get("external_reference")).external_reference
        await states.fulfill(session, services, reward, external_reference=reference, now=now)
    elif step == "cancel":
        canceled = RewardCancel.model_validate(reason)
        await states.cancel(session, services, reward, reason=canceled.reason, now=now)
    else:
        # A text that is no amount stays: the schema refuses it.
        text = body.get("amount_minor")
        minor: int | str | None = minor_units(text, reward.currency) if text else None
        taken = RewardReverse.model_validate(reason | {"amount_minor": text if minor is None else minor})
        await states.reverse(
            session, services, reward, reason=taken.reason, amount_minor=taken.amount_minor, now=now
        )


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    reward_id: uuid.UUID,
    *,
    step: str = "",
    given: dict[str, str] | None = None,
    error: AppError | ValidationError | None = None,
) -> Response:
    row = await listing.get(session, reward_id)
    if row is None:
        raise states.RewardNotFound
    service.record_view(session, row.Reward.user_id)
    return page(
        request,
        "admin_reward.html",
        **error_context(request, error, FIELDS),
        here=link(request, f"/admin/rewards/{reward_id}"),
        user=await users.get(session, visitor.user_id),
        person=await service.get(session, row.Reward.user_id),
        row=row,
        reward=row.Reward,
        history=await listing.entries_of(session, reward_id),
        actors={actor: translate_for(request, text) for actor, text in ACTORS.items()},
        step=step,
        given={name: (given or {}).get(name, "") for name in FIELDS},
        done=done_text(request, DONE) if error is None else None,
        form_token=services_of(request).page_cookies.form_token(visitor),
    )
