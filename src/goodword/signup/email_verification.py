"""Verification of the e-mail address of an account."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.jobs import service as jobs
from goodword.participants import merging
from goodword.providers import email_checks
from goodword.referrals import service as referrals
from goodword.services import Services
from goodword.users.models import User


async def mark_email_verified(
    session: AsyncSession, services: Services, user: User, *, now: datetime
) -> None:
    """Mark the address of `user`, who is locked, as verified. An address that is verified already stays as it is.

    Confirms the pending referrals of the user, and enqueues the enrichment of the profile if it is configured. A
    participant whom a product has reported with this address becomes one with the user.
    """
    if user.verified_at is not None:
        return
    user.verified_at = now
    await session.flush()
    record(session, Action.EMAIL_VERIFIED, Subject.USER, user.id)
    await merging.merge_reported(session, services, user, now=now)
    await referrals.confirm(session, services, user.id, now=now)
    if services.settings.enrichment != "none":
        jobs.enqueue(session, email_checks.ENRICH, {}, user_id=user.id, now=now)
