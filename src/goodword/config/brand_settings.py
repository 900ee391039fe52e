"""The settings of the brand: what pages, messages and link previews show of the product that runs the service."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from goodword.config.setting_types import HttpUrl, Switch
from goodword.languages import DEFAULT, LANGUAGES

MAX_LOGO = 256 * 1024
MAX_TEXT = 300
PNG = b"\x89PNG\r\n\x1a\n"
_LANGUAGE = re.compile(rf"\s*({'|'.join(LANGUAGES)})=")
_NEXT_LANGUAGE = re.compile(rf";\s*(?=(?:{'|'.join(LANGUAGES)})=)")


def check_line(value: str) -> str:
    value = value.strip()
    if not value or any(unicodedata.category(character)[0] == "C" for character in value):
        raise ValueError("must be one line without control characters")
    return value


def check_address(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address, such as help@example.com") from None


@dataclass(frozen=True, slots=True)
class Logo:
    """The file of a logo, which is read once, with the settings."""

    path: Path
    suffix: str
    """`.png` or `.svg`, by the contents."""
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return str(self.path)


def read_logo(value: object) -> object:
    """Return the `Logo` at a path. Raises `ValueError`."""
    if not isinstance(value, str | Path):
        return value
    path = Path(value)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LOGO + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_LOGO:
        raise ValueError("must be a file of at most 256 KiB")
    if content.startswith(PNG):
        return Logo(path, ".png", content)
    if re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!|<svg)", content) and b"<svg" in content:
        return Logo(path, ".svg", content)
    raise ValueError("must be a PNG or SVG file")


def parse_texts(value: object) -> object:
    """Return a text for each language, from one text or from `en=...; ru=...`.

    A language without a text gets that of the default language, or the first one.
    """
    if not isinstance(value, str):
        return value
    if not _LANGUAGE.match(value):
        return dict.fromkeys(LANGUAGES, value.strip())
    parts = [part.strip() for part in _NEXT_LANGUAGE.split(value.strip().rstrip(";"))]
    texts = {language: text.strip() for language, _, text in (part.partition("=") for part in parts)}
    if len(texts) < len(parts):
        raise ValueError("has two texts in one language")
    return dict.fromkeys(LANGUAGES, texts.get(DEFAULT) or next(iter(texts.values()))) | texts


def check_texts(value: Mapping[str, str]) -> Mapping[str, str]:
    for text in value.values():
        if len(check_line(text)) > MAX_TEXT:
            raise ValueError(f"must have at most {MAX_TEXT} characters in each language")
    return value


Texts = Annotated[Mapping[str, str], BeforeValidator(parse_texts), AfterValidator(check_texts)]
"""By language, complete."""


class BrandSettings(BaseModel):
    brand_name: Annotated[str, Field(max_length=60), AfterValidator(check_line)] = "Goodword"
    brand_url: HttpUrl | None = None
    brand_logo: Annotated[Logo, BeforeValidator(read_logo)] | None = None
    brand_color: str | None = Field(default=None, pattern="^#[0-9a-fA-F]{6}$")
    brand_credit: Switch = "on"
    terms_url: HttpUrl | None = None
    privacy_url: HttpUrl | None = None
    support_email: Annotated[str, AfterValidator(check_address)] | None = None
    postal_address: Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(check_line)] | None = None
    after_sign_up_url: HttpUrl | None = None
    offer: Texts | None = None
    share_text: Texts | None = None

    @property
    def mail_logo(self) -> bytes | None:
        """Return the logo if mail programs can show it: they show PNG, not SVG."""
        logo = self.brand_logo
        return logo.content if logo and logo.suffix == ".png" else None
