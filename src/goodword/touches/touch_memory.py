"""The touch that a browser remembers, for a program with `remember_touch`: a cookie with the id alone."""

import uuid
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy.exc import SQLAlchemyError

from goodword.programs.models import Attribution, Program
from goodword.services import services_of


async def remember(
    request: Request, response: Response, touch_id: uuid.UUID, program: Program, *, now: datetime
) -> None:
    """Write the cookie, unless the first touch counts and the browser remembers one of the program."""
    keeps_first = program.attribution == Attribution.FIRST_TOUCH
    if program.attribution_window and not (keeps_first and await _has_first(request, program, now)):
        cookies = services_of(request).page_cookies
        cookies.write_touch(response, touch_id, seconds=program.attribution_window)


async def _has_first(request: Request, program: Program, now: datetime) -> bool:
    services = services_of(request)
    touch_id = services.page_cookies.touch(request)
    if touch_id is None:
        return False
    try:
        first = await services.touches.find(touch_id)
    except (SQLAlchemyError, OSError):
        return True  # the database is away: keep what the browser has
    window = timedelta(seconds=program.attribution_window)
    return first is not None and first.program_id == program.id and now - first.created_at <= window
