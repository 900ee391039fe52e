"""The form that selects the language of the pages."""

from fastapi import APIRouter, Request, Response

from goodword.languages import LANGUAGES
from goodword.services import services_of
from goodword.web.forms import is_from_here, local_path, read_form
from goodword.web.html import messages
from goodword.web.html.rendering import foreign_form, message_page, see_other
from goodword.web.urlencoded import FormInvalid

router = APIRouter(include_in_schema=False)


@router.post("/language")
async def choose_language(request: Request) -> Response:
    """Store the language in a cookie and redirect to the previous page."""
    if not is_from_here(request):
        return foreign_form(request)
    try:
        form = await read_form(request)
    except FormInvalid as error:
        return message_page(request, error.status, messages.TITLE, messages.UNREADABLE)
    response = see_other(local_path(request, form.get("next")))
    if form.get("language") in LANGUAGES:
        services_of(request).page_cookies.write_language(response, form["language"])
    return response
