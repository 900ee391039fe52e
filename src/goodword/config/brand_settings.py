"""The settings of the brand: what pages, messages and link previews show of the product that runs the service."""

import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from goodword.config.setting_types import HttpUrl, Switch
from goodword.languages import DEFAULT, LANGUAGES

MAX_LOGO = 256 * 1024
MAX_PIXELS = 4096
"""Width and height of a PNG."""
MAX_DEPTH = 100
"""Of the elements of an SVG. A deep one ends the process that draws it."""
MAX_TEXT = 300
LINE_BREAKS = ("Zl", "Zp")
PNG = b"\x89PNG\r\n\x1a\n"
_LANGUAGE = re.compile(rf"\s*({'|'.join(LANGUAGES)})=")
_NEXT_LANGUAGE = re.compile(rf";\s*(?=(?:{'|'.join(LANGUAGES)})=)")


def check_line(value: str) -> str:
    value = value.strip()
    kinds = {unicodedata.category(character) for character in value}
    if not value or any(kind[0] == "C" or kind in LINE_BREAKS for kind in kinds):
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
        if max(int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) > MAX_PIXELS:
            raise ValueError(f"must have at most {MAX_PIXELS} x {MAX_PIXELS} pixels")
        return Logo(path, ".png", content)
    if re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!|<svg)", content) and b"<svg" in content:
        _check_svg(content)
        return Logo(path, ".svg", content)
    raise ValueError("must be a PNG or SVG file")


def _check_svg(content: bytes) -> None:
    """Raise `ValueError` for an SVG that cannot be drawn, or only in a long time."""
    depth = 0
    try:
        for event, element in ET.iterparse(BytesIO(content), ("start", "end")):  # noqa: S314  the operator's file
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise ValueError(f"must nest its elements at most {MAX_DEPTH} deep")
            if element.tag.endswith("feTurbulence"):
                raise ValueError("must not use feTurbulence, which takes long to draw")
    except ET.ParseError as error:
        raise ValueError(f"must be a valid SVG file: {error}") from None


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
