"""Static files of the pages, in the look of the brand. Each has a version in its URL that changes with its contents."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from goodword.config import brand_colors
from goodword.config.brand_settings import BrandSettings
from goodword.services import services_of
from goodword.web import static_files
from goodword.web.static_files import StaticFile

router = APIRouter(include_in_schema=False)

ICON_COLOR = b"#2f6f4f"
# An SVG of the operator could contain scripts, which run if its address is opened.
LOGO_POLICY = {"Content-Security-Policy": "default-src 'none'; sandbox"}


class Assets:
    """The static files of a service. `icon` is the name of the one that represents the brand."""

    def __init__(self, settings: BrandSettings) -> None:
        contents = dict(_contents())
        self.icon = "icon.svg"
        if settings.brand_color:
            contents["style.css"] += brand_colors.stylesheet(settings.brand_color).encode()
            icon_color = brand_colors.readable(settings.brand_color).encode()
            contents["icon.svg"] = contents["icon.svg"].replace(ICON_COLOR, icon_color)
        if logo := settings.brand_logo:
            self.icon = f"logo{logo.suffix}"
            contents[self.icon] = logo.content
        self._files = {
            name: StaticFile.create(content, Path(name).suffix) for name, content in contents.items()
        }

    def find(self, name: str) -> StaticFile | None:
        return self._files.get(name)

    def path(self, name: str) -> str:
        return f"/pages/{name}?v={self._files[name].version}"


@cache
def _contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "static").iterdir())}


@router.get("/pages/{name}")
async def send_file(name: str, request: Request) -> Response:
    found = services_of(request).page_assets.find(name)
    if found is None:
        raise HTTPException(404)
    headers = LOGO_POLICY if name.startswith("logo.") else None
    return await static_files.send(request, found, headers=headers)
