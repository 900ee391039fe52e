"""The recurring job that notices expired codes, if an endpoint wants to know."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Integer, bindparam, func, literal_column, select

from goodword.codes import changes
from goodword.codes.models import ReferralCode
from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.services import Services
from goodword.webhooks.kinds import WebhookKind
from goodword.webhooks.models import WebhookEndpoint, WebhookEvent

NOTICE = "notice_expired_codes"
BATCH = 200
LOOK_BACK = timedelta(days=1)
"""Codes that expired while no worker ran are noticed later, unless it is for longer."""


async def notice(services: Services, _job: ClaimedJob) -> None:
    """Publish the codes that have expired since the first endpoint wanted to know, each once."""
    wanting = await services.webhook_subscriptions.wanting(WebhookKind.CODE_EXPIRED)
    found = BATCH if wanting else 0
    while found == BATCH:
        async with services.database.transaction() as session:
            now = services.clock()
            ids = [one.endpoint_id for one in wanting]
            created = await session.scalar(
                select(func.min(WebhookEndpoint.created_at)).where(WebhookEndpoint.id.in_(ids))
            )
            since = max(created or now, now - LOOK_BACK)
            codes = (await session.scalars(_EXPIRED, {"since": since, "now": now, "rows": BATCH})).all()
            for code in codes:
                await changes.publish(session, services, code, changes.EXPIRED, now=now)
        found = len(codes)


_MOMENT = ReferralCode.expires_at.type
_EXPIRED = (
    select(ReferralCode)
    .where(
        literal_column("referral_codes.activated_at").is_not(None),
        literal_column("referral_codes.retired_at").is_(None),
        ReferralCode.expires_at > bindparam("since", type_=_MOMENT),
        ReferralCode.expires_at <= bindparam("now", type_=_MOMENT),
        # A code that was extended expires again.
        ~select(WebhookEvent.id)
        .where(
            WebhookEvent.object_id == ReferralCode.id,
            WebhookEvent.kind == WebhookKind.CODE_EXPIRED.value,
            WebhookEvent.created_at >= ReferralCode.expires_at,
        )
        .exists(),
    )
    .order_by(ReferralCode.expires_at, ReferralCode.id)
    .limit(bindparam("rows", type_=Integer))
    .with_for_update()
)

HANDLERS: Mapping[str, Handler] = {NOTICE: notice}
PERIODIC_TASKS: Mapping[str, timedelta] = {NOTICE: timedelta(minutes=1)}
