"""What an outside service said about a person."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.providers.models import Profile


async def of(session: AsyncSession, user_id: uuid.UUID) -> Profile | None:
    """For the person alone: not for whoever brought them, nor for apps."""
    return await session.scalar(select(Profile).where(Profile.user_id == user_id))
