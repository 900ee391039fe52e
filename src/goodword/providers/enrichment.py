"""Enrichment: profiles of users from Hunter, or from Clearbit with an old key. Both use Clearbit's format."""

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.config.settings import Settings
from goodword.outbound.http_client import OutboundClient
from goodword.providers import hunter
from goodword.providers.circuit_breaker import RateLimit
from goodword.providers.models import Profile
from goodword.providers.responses import Answer, Outcome, ask
from goodword.web.schemas import BIDI_CONTROLS

PATH = "/v2/combined/find"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "full_name": ("person", "name", "fullName"),
    "title": ("person", "employment", "title"),
    "role": ("person", "employment", "role"),
    "company": ("company", "name"),
    "company_domain": ("company", "domain"),
    "city": ("person", "geo", "city"),
    "country": ("person", "geo", "country"),
    "linkedin": ("person", "linkedin", "handle"),
    "github": ("person", "github", "handle"),
    "twitter": ("person", "twitter", "handle"),
}
"""The columns of a profile, and their paths in the answer. Other fields are ignored."""


@dataclass(frozen=True, slots=True)
class Hunter:
    settings: Settings
    name = hunter.NAME
    limit = RateLimit("hunter enrichment", interval=timedelta(milliseconds=125), burst=7)
    """Hunter allows 15 requests a second and 500 a minute."""

    async def find(self, client: OutboundClient, email: str, *, timeout_seconds: float) -> Answer:
        """Return the columns of a `Profile`."""
        url, headers = f"{self.settings.hunter_url}{PATH}", hunter.headers(self.settings)
        answer = await ask(client, url, params={"email": email}, headers=headers, budget=timeout_seconds)
        return _columns(answer.value, within="data") if answer.outcome is Outcome.ANSWER else answer


@dataclass(frozen=True, slots=True)
class Clearbit:
    settings: Settings
    name = "clearbit"
    limit = RateLimit("clearbit", interval=timedelta(milliseconds=110), burst=5)
    """Clearbit allows 600 requests a minute."""

    async def find(self, client: OutboundClient, email: str, *, timeout_seconds: float) -> Answer:
        """Return the columns of a `Profile`."""
        key = self.settings.clearbit_api_key
        assert key is not None, "the settings were checked"
        url, user = f"{self.settings.clearbit_url}{PATH}", key.get_secret_value()
        answer = await ask(client, url, params={"email": email}, user=user, budget=timeout_seconds)
        return _columns(answer.value) if answer.outcome is Outcome.ANSWER else answer


def configured(settings: Settings) -> Hunter | Clearbit | None:
    """Return the provider that the settings name."""
    if settings.enrichment == "hunter":
        return Hunter(settings)
    return Clearbit(settings) if settings.enrichment == "clearbit" else None


async def find_profile(session: AsyncSession, user_id: uuid.UUID) -> Profile | None:
    """Return the profile of a user. Only the user may see it: not the referrer, and no app."""
    return await session.scalar(select(Profile).where(Profile.user_id == user_id))


async def forget(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Delete the profile of a user, which was found by an address that the account no longer has."""
    await session.execute(delete(Profile).where(Profile.user_id == user_id))


def _columns(document: Any, *, within: str | None = None) -> Answer:
    # Leave out what is no text, has no visible character, or is longer than its column.
    if not isinstance(document, dict):
        return Answer(Outcome.BROKEN)
    prefix = (within,) if within else ()
    found = {name: _text(document, prefix + path, _limit(name)) for name, path in FIELDS.items()}
    return Answer(Outcome.ANSWER, found) if any(found.values()) else Answer(Outcome.NOTHING)


def _text(document: Any, path: tuple[str, ...], limit: int) -> str | None:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    if not isinstance(document, str) or len(document) > 2 * limit:  # NFC is slow for long text
        return None
    shown = "".join(" " if _is_hidden(character) else character for character in document)
    text = " ".join(unicodedata.normalize("NFC", shown).split())
    visible = any(unicodedata.category(character)[0] in "LNPS" for character in text)
    return text if visible and len(text) <= limit else None


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI_CONTROLS


def _limit(column: str) -> int:
    return int(Profile.__table__.c[column].type.length)  # type: ignore[attr-defined]
