"""The job that tells the administrators that an endpoint was disabled."""

from collections.abc import Mapping
from urllib.parse import urlencode

from sqlalchemy import select

from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.users.models import User, UserStatus
from goodword.webhooks.outcomes import NOTIFY


async def notify_administrators(services: Services, job: ClaimedJob) -> None:
    """Send each administrator a message. Where pages are on, its link leads to that of the endpoint after a sign-in."""
    kind, now, settings = MessageKind.WEBHOOK_DISABLED, services.clock(), services.settings
    page = f"{settings.base_path}/admin/webhooks/{job.payload['endpoint']}"
    path = f"/sign-in?{urlencode({'next': page}, safe='/')}" if settings.pages == "on" else None
    async with services.database.transaction() as session:
        for user_id in (await session.scalars(_ADMINISTRATORS)).all():
            notifications.notify(session, user_id, kind, now=now, path=path)


_ADMINISTRATORS = select(User.id).where(
    User.is_admin, User.status == UserStatus.ACTIVE.value, User.email.is_not(None)
)

HANDLERS: Mapping[str, Handler] = {NOTIFY: notify_administrators}
