"""Detection of addresses that look like another one, such as `аlice@example.com` with a Cyrillic а."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.users import addresses
from goodword.users.models import User


async def find_confusable(session: AsyncSession, email: str) -> uuid.UUID | None:
    """Return the account with the ASCII address that `email` looks like, if there is one."""
    key = in_plain_letters(email)
    if key is None:
        return None
    return await session.scalar(select(User.id).where(User.email_key == key))


def in_plain_letters(email: str) -> str | None:
    """Return the key of the ASCII address that `email` looks like (Unicode TR 39), or None if it is ASCII itself."""
    if email.isascii():
        return None
    # Imported here: the table takes 10 MB of memory that most processes never need.
    from confusable_homoglyphs import confusables

    found = confusables.is_confusable(email.lower(), greedy=True, preferred_aliases=[]) or []
    plain = {
        one["character"]: _in_ascii(one["homoglyphs"]) for one in found if not one["character"].isascii()
    }
    return addresses.key_of("".join(plain.get(letter) or letter for letter in email.lower()))


def _in_ascii(letters: list[dict[str, str]]) -> str | None:
    return next((one["c"].lower() for one in letters if one["c"].isascii() and one["c"].isalnum()), None)
