"""Addresses that people take for another one: `аlice@example.com` with a Cyrillic а. A sign of risk, never a key."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.users import addresses
from goodword.users.models import User


async def find_confusable(session: AsyncSession, email: str) -> uuid.UUID | None:
    """The account in plain letters whose address this one looks like; None for most, and for all in plain letters."""
    key = in_plain_letters(email)
    if key is None:
        return None
    found: uuid.UUID | None = await session.scalar(select(User.id).where(User.email_key == key))
    return found


def in_plain_letters(email: str) -> str | None:
    """The key of the ASCII address that this looks like (Unicode TR 39), if it has other letters at all."""
    if email.isascii():
        return None
    # Here, since the table of letters takes 10 MB that most processes never need.
    from confusable_homoglyphs import confusables

    found = confusables.is_confusable(email.lower(), greedy=True, preferred_aliases=[]) or []
    plain = {
        one["character"]: _in_ascii(one["homoglyphs"]) for one in found if not one["character"].isascii()
    }
    return addresses.key_of("".join(plain.get(letter) or letter for letter in email.lower()))


def _in_ascii(letters: list[dict[str, str]]) -> str | None:
    return next((one["c"].lower() for one in letters if one["c"].isascii() and one["c"].isalnum()), None)
