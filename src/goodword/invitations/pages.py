"""Refusing letters by the link at their end, and by the button that mail programs show (RFC 8058)."""

from fastapi import APIRouter, Request, Response

from goodword.languages import to_translate
from goodword.mail import unsubscribe
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.html.rendering import message_page, page

router = APIRouter(prefix="/letters", include_in_schema=False)

DEAD_LINK = to_translate("This link does not work")
NOT_WHOLE = to_translate("This link is not whole. Take it from the letter once more.")


@router.get("/refuse")
async def show_unsubscribe(request: Request) -> Response:
    """A page with a button. It changes nothing: programs that look for viruses follow every link."""
    return page(request, "unsubscribe.html", token=request.query_params.get("token", ""), done=False)


@router.post("/refuse", dependencies=[limited("email-token")])
async def unsubscribe_from_page(request: Request, session: Session, clock: Clock) -> Response:
    """Nobody's cookies are asked, and no body is needed: the token, which only the letter has, says it all."""
    token = request.query_params.get("token", "")
    try:
        await unsubscribe.unsubscribe(session, services_of(request).keys.unsubscribe, token, now=clock())
    except unsubscribe.UnsubscribeTokenInvalid as error:
        return message_page(request, error.status, DEAD_LINK, NOT_WHOLE)
    return page(request, "unsubscribe.html", token=token, done=True)
