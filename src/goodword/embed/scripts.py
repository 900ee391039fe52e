"""`capture.js` and `embed.js`: the scripts that other sites load, with the settings of this service in them."""

import json
import re
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request, Response

from goodword.config import brand_colors
from goodword.config.settings import Settings
from goodword.embed import texts
from goodword.money import all_decimals
from goodword.services import services_of
from goodword.web import static_files
from goodword.web.static_files import StaticFile

STATIC = Path(__file__).parent / "static"
HEADERS = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
CACHE_CONTROL = "public, max-age=600"
"""The addresses have no version, because pages of other sites contain them."""
_NOT_SENT = re.compile(r"^\s*(//.*|/\*.*\*/)?\n|^\s+", re.MULTILINE)
"""Lines of comments, and indentation."""

router = APIRouter(include_in_schema=False)


class Scripts:
    """Both files, rendered once."""

    def __init__(self, settings: Settings) -> None:
        self.capture = _render("capture.js", parameter=settings.capture_parameter)
        self.embed = _render(
            "embed.js",
            styles=_styles(settings),
            texts=texts.by_language(settings),
            decimals={name: places for name, places in all_decimals().items() if places != 2},
        )


def _render(name: str, **values: object) -> StaticFile:
    """Return a script with the values in place of the texts `"$name"`."""
    encoded = {
        f'"${key}"': json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for key, value in values.items()
    }
    script = re.sub(r'"\$[a-z]+"', lambda found: encoded[found[0]], _sent(name))
    return StaticFile.create(script.encode(), ".js")


def _styles(settings: Settings) -> str:
    colors = {
        name.replace("-", "_"): f"light-dark({light},{dark})"
        for name, (light, dark) in brand_colors.palette(settings.brand_color).items()
    }
    return re.sub(r"\s*([{}:;,])\s*", r"\1", Template(_sent("embed.css")).substitute(colors))


def _sent(name: str) -> str:
    return _NOT_SENT.sub("", (STATIC / name).read_text())


@router.get("/capture.js")
async def send_capture(request: Request) -> Response:
    return await _send(request, services_of(request).scripts.capture)


@router.get("/embed.js")
async def send_embed(request: Request) -> Response:
    return await _send(request, services_of(request).scripts.embed)


async def _send(request: Request, file: StaticFile) -> Response:
    return await static_files.send(request, file, cache_control=CACHE_CONTROL, headers=HEADERS)
