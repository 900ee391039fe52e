"""The job that tells the administrators that an endpoint was disabled."""

from collections.abc import Mapping

from sqlalchemy import select

from goodword.jobs.service import ClaimedJob
from goodword.jobs.worker import Handler
from goodword.mail import notifications
from goodword.mail.messages import MessageKind
from goodword.services import Services
from goodword.users.models import User, UserStatus
from goodword.webhooks.outcomes import NOTIFY


async def notify_administrators(services: Services, _job: ClaimedJob) -> None:
    async with services.database.transaction() as session:
        for user_id in (await session.scalars(_ADMINISTRATORS)).all():
            notifications.notify(session, user_id, MessageKind.WEBHOOK_DISABLED, now=services.clock())


_ADMINISTRATORS = select(User.id).where(
    User.is_admin, User.status == UserStatus.ACTIVE.value, User.email.is_not(None)
)

HANDLERS: Mapping[str, Handler] = {NOTIFY: notify_administrators}
