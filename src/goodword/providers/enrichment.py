"""Who is behind an address: Hunter, or Clearbit with a key of former days. Both answer in Clearbit's form."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from goodword.config.settings import Settings
from goodword.http_client import OutboundClient
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
"""Our columns, and where the answer has them. Whatever else is there is not looked at."""


@dataclass(frozen=True, slots=True)
class Hunter:
    settings: Settings
    name = hunter.NAME
    limit = RateLimit("hunter enrichment", interval=timedelta(milliseconds=125), burst=7)
    """At most 15 a second and 500 a minute."""

    async def find(self, outside: OutboundClient, email: str, *, budget: float) -> Answer:
        """The columns of a `Profile`, if anything is known."""
        url, headers = f"{self.settings.hunter_url}{PATH}", hunter.headers(self.settings)
        finding = await ask(outside, url, params={"email": email}, headers=headers, budget=budget)
        if finding.said is not Outcome.ANSWER:
            return finding
        return _columns(finding.what, within="data")


@dataclass(frozen=True, slots=True)
class Clearbit:
    settings: Settings
    name = "clearbit"
    limit = RateLimit("clearbit", interval=timedelta(milliseconds=110), burst=5)
    """At most 600 a minute."""

    async def find(self, outside: OutboundClient, email: str, *, budget: float) -> Answer:
        """The columns of a `Profile`, if anything is known."""
        key = self.settings.clearbit_api_key
        assert key is not None, "the settings were checked"
        url, user = f"{self.settings.clearbit_url}{PATH}", key.get_secret_value()
        finding = await ask(outside, url, params={"email": email}, user=user, budget=budget)
        return _columns(finding.what) if finding.said is Outcome.ANSWER else finding


def configured(settings: Settings) -> Hunter | Clearbit | None:
    """Whom the settings name; None for nobody."""
    if settings.enrichment == "hunter":
        return Hunter(settings)
    return Clearbit(settings) if settings.enrichment == "clearbit" else None


def _columns(document: Any, *, within: str | None = None) -> Answer:
    # Text of our columns' length, without controls. The rest is left out.
    if not isinstance(document, dict):
        return Answer(Outcome.BROKEN)
    prefix = (within,) if within else ()
    found = {name: _text(document, prefix + path, _limit(name)) for name, path in FIELDS.items()}
    return Answer(Outcome.ANSWER, found) if any(found.values()) else Answer(Outcome.NOTHING)


def _text(document: Any, path: tuple[str, ...], limit: int) -> str | None:
    for step in path:
        document = document.get(step) if isinstance(document, dict) else None
    if not isinstance(document, str) or len(document) > 2 * limit:  # NFC is slow on what is long
        return None
    shown = "".join(" " if _is_hidden(character) else character for character in document)
    text = " ".join(unicodedata.normalize("NFC", shown).split())
    visible = any(unicodedata.category(character)[0] in "LNPS" for character in text)
    return text if visible and len(text) <= limit else None


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI_CONTROLS


def _limit(column: str) -> int:
    return int(Profile.__table__.c[column].type.length)  # type: ignore[attr-defined]
