"""API of rewards: the steps of a server, and what a person has earned."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from goodword.api_keys.auth import ParticipantsReader, RewardsReader, RewardsWriter, ServerCaller
from goodword.participants import access
from goodword.participants.paths import ExternalIdPath, ParticipantRoute
from goodword.programs.fields import Slug
from goodword.programs.service import ProgramNotFound
from goodword.rewards import listing, states
from goodword.rewards.models import Reward, RewardStatus
from goodword.rewards.schemas import (
    BalanceList,
    EntryRead,
    Positive,
    RewardDetail,
    RewardList,
    RewardRead,
)
from goodword.services import services_of
from goodword.sessions.auth import ReferralsViewer
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.idempotency import Answer, IdempotentWriteDependency, KeyInUse, KeyReused
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems
from goodword.web.paging import Cursor, CursorInvalid, Limit
from goodword.web.schemas import Input, Text, example

router = APIRouter(prefix="/api/v1/rewards", tags=["Rewards"], route_class=JsonRoute)
own_router = APIRouter(prefix="/api/v1/me", tags=["Rewards"], route_class=JsonRoute)
participant_router = APIRouter(
    prefix="/api/v1/participants", tags=["Participants"], route_class=ParticipantRoute
)

RewardId = Annotated[uuid.UUID, Path(description="The id of the reward.")]
Status = Annotated[RewardStatus | None, Query(description="Only rewards with this status.")]
Why = Annotated[Text, Field(min_length=1, max_length=255)]


class RewardFulfill(Input):
    model_config = example({"external_reference": "payout-2026-11-28"})

    external_reference: Annotated[Text, Field(min_length=1, max_length=255)] | None = Field(
        None, description="The id of the payment in your system."
    )


class RewardCancel(Input):
    model_config = example({"reason": "The subscription was a test."})

    reason: Why


class RewardReverse(Input):
    model_config = example({"reason": "The payment was charged back."})

    reason: Why
    amount_minor: Positive | None = Field(None, description="Only a part. By default all that is left.")


@router.get("", summary="List rewards", responses=problems(ProgramNotFound, CursorInvalid))
async def list_rewards(
    request: Request,
    server: RewardsReader,
    reader: Reader,
    status: Status = None,
    beneficiary: Annotated[
        Literal["referrer", "referee"] | None, Query(description="Only those of referrers, or of referees.")
    ] = None,
    program: Annotated[Slug | None, Query(description="Only those of this program.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RewardList:
    """Return rewards, newest first. A key that is limited to a program sees those of this one alone."""
    services, program_id = services_of(request), server.program_id
    if program is not None:
        program_id = (await access.scope_of(services, server.program_id, program)).program.id
    filters = listing.Filters(status=status, beneficiary=beneficiary, program_id=program_id)
    return await _list(request, reader, filters, limit=limit, cursor=cursor, read=listing.read)


@router.get("/{reward_id}", summary="Get a reward", responses=problems(states.RewardNotFound))
async def get_reward(reward_id: RewardId, server: RewardsReader, reader: Reader) -> RewardDetail:
    """Return a reward with its history: each change, with its amount. The amounts sum to what is left."""
    row = await listing.get(reader, reward_id)
    if row is None or server.program_id not in {None, row.Reward.program_id}:
        raise states.RewardNotFound
    history = [EntryRead.model_validate(entry) for entry in await listing.entries_of(reader, reward_id)]
    return RewardDetail.model_validate(dict(listing.read(row)) | {"history": history})


Step = Callable[[Reward], Awaitable[None]]


async def _step(
    session: Session,
    once: IdempotentWriteDependency,
    server: ServerCaller,
    reward_id: uuid.UUID,
    body: Input,
    step: Step,
) -> Response:
    async def effect(_: None) -> Answer:
        reward = await states.lock(session, reward_id, within=server.program_id)
        await step(reward)
        await session.flush()
        row = await listing.get(session, reward_id)
        assert row is not None, "it is locked"
        return Answer(listing.read(row), status=200, user_id=reward.user_id)

    return await once.run(session, body, caller=server.caller, effect=effect)


STEP = problems(states.RewardNotFound, states.RewardState, KeyReused, KeyInUse)


@router.post("/{reward_id}/approve", summary="Approve a reward", response_model=RewardRead, responses=STEP)
async def approve_reward(
    reward_id: RewardId,
    request: Request,
    server: RewardsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Approve a pending reward, also before its hold ends. Done twice, it changes nothing."""

    async def step(reward: Reward) -> None:
        await states.approve(session, services_of(request), reward, now=clock())

    return await _step(session, once, server, reward_id, Input(), step)


@router.post("/{reward_id}/fulfil", summary="Fulfil a reward", response_model=RewardRead, responses=STEP)
async def fulfil_reward(
    reward_id: RewardId,
    body: RewardFulfill,
    request: Request,
    server: RewardsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Record that you have paid or handed over an approved reward. Done twice, it changes nothing."""

    async def step(reward: Reward) -> None:
        reference = body.external_reference
        await states.fulfill(session, services_of(request), reward, external_reference=reference, now=clock())

    return await _step(session, once, server, reward_id, body, step)


@router.post("/{reward_id}/cancel", summary="Cancel a reward", response_model=RewardRead, responses=STEP)
async def cancel_reward(
    reward_id: RewardId,
    body: RewardCancel,
    request: Request,
    server: RewardsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Cancel a reward that is not fulfilled. Done twice, it changes nothing."""

    async def step(reward: Reward) -> None:
        await states.cancel(session, services_of(request), reward, reason=body.reason, now=clock())

    return await _step(session, once, server, reward_id, body, step)


@router.post(
    "/{reward_id}/reverse",
    summary="Reverse a reward",
    response_model=RewardRead,
    responses=problems(states.RewardNotFound, states.RewardState, states.AmountTooLarge, KeyReused, KeyInUse),
)
async def reverse_reward(
    reward_id: RewardId,
    body: RewardReverse,
    request: Request,
    server: RewardsWriter,
    session: Session,
    clock: Clock,
    once: IdempotentWriteDependency,
) -> Response:
    """Take an approved or fulfilled reward back, all of it or a part. A reversed one stays as it is.

    Send an `Idempotency-Key` with a part: without one, a repeated call takes another part back.
    """

    async def step(reward: Reward) -> None:
        await states.reverse(
            session,
            services_of(request),
            reward,
            reason=body.reason,
            amount_minor=body.amount_minor,
            now=clock(),
        )

    return await _step(session, once, server, reward_id, body, step)


@participant_router.get(
    "/{external_id}/rewards",
    summary="List the rewards of a participant",
    responses=problems(access.ParticipantNotFound, CursorInvalid),
)
async def list_participant_rewards(
    external_id: ExternalIdPath,
    request: Request,
    server: ParticipantsReader,
    reader: Reader,
    status: Status = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RewardList:
    """Return what a person earned, newest first."""
    user = await access.find(reader, external_id, server.program_id)
    filters = listing.Filters(status=status, program_id=server.program_id, user_id=user.id)
    return await _list(request, reader, filters, limit=limit, cursor=cursor, read=listing.read)


@own_router.get("/rewards", summary="List your rewards", responses=problems(CursorInvalid))
async def list_own_rewards(
    request: Request,
    caller: ReferralsViewer,
    reader: Reader,
    status: Status = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RewardList:
    """Return what you earned, newest first. A coupon is shown once the reward is approved."""
    filters = listing.Filters(status=status, user_id=caller.user_id)
    return await _list(
        request, reader, filters, limit=limit, cursor=cursor, read=listing.read_for_beneficiary
    )


@own_router.get("/reward-balances", summary="Get your balances")
async def get_reward_balances(caller: ReferralsViewer, reader: Reader) -> BalanceList:
    """Return what you earned, for each kind and currency: pending, approved, and fulfilled."""
    return BalanceList(items=await listing.balances(reader, caller.user_id))


async def _list(
    request: Request,
    reader: Reader,
    filters: listing.Filters,
    *,
    limit: int,
    cursor: str | None,
    read: Callable[..., RewardRead],
) -> RewardList:
    cursors, name = services_of(request).cursors, f"rewards {filters}"
    found = await listing.list_rewards(reader, filters, after=cursors.read(cursor, of=name), limit=limit)
    rows, following = cursors.cut(found, limit, of=name)
    return RewardList(items=[read(row) for row in rows], next_cursor=following)
