"""Personal data: mailboxes that have unsubscribed."""

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.db.personal_data import DataSubject, Kept, PersonalData
from goodword.mail import unsubscribe
from goodword.mail.models import Unsubscribe
from goodword.services import Services


async def _unsubscribed(session: AsyncSession, services: Services, subject: DataSubject) -> bool:
    if subject.email_canonical is None:
        return False
    return await unsubscribe.is_unsubscribed(session, services.keys.unsubscribe, subject.email_canonical)


PERSONAL_DATA = (
    PersonalData(
        model=Unsubscribe,
        erase=Kept("A keyed hash. The mailbox must get no messages after the erasure either."),
        export={"unsubscribed": _unsubscribed},
    ),
)
