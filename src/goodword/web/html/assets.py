"""Static files of the pages. Each has a version in its URL, which changes with its contents."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from goodword.web import static_files
from goodword.web.static_files import StaticFile

router = APIRouter(include_in_schema=False)

_FILES = {
    path.name: StaticFile.create(path.read_bytes(), path.suffix)
    for path in sorted((Path(__file__).parent / "static").iterdir())
}


def path(name: str) -> str:
    return f"/pages/{name}?v={_FILES[name].version}"


@router.get("/pages/{name}")
async def send_file(name: str, request: Request) -> Response:
    found = _FILES.get(name)
    if found is None:
        raise HTTPException(404)
    # Other sites show an image as the preview of a link.
    headers = {"Cross-Origin-Resource-Policy": "cross-origin"} if found.media_type == "image/png" else None
    return await static_files.send(request, found, headers=headers)
