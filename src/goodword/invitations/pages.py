"""The page that unsubscribes, also with one click in a mail client (RFC 8058)."""

from fastapi import APIRouter, Request, Response

from goodword.languages import to_translate
from goodword.mail import unsubscribe
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.html.rendering import message_page, page

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)

DEAD_LINK = to_translate("This link does not work")
NOT_WHOLE = to_translate("This link is incomplete. Copy it from the e-mail again.")


@router.get("")
async def show_unsubscribe(request: Request) -> Response:
    """Show a page with a button. It changes nothing, because virus scanners follow every link."""
    return page(request, "unsubscribe.html", token=request.query_params.get("token", ""), done=False)


@router.post("", dependencies=[limited("email-token")])
async def unsubscribe_from_page(request: Request, session: Session, clock: Clock) -> Response:
    """Stop e-mails to an address. The token is enough: mail clients send no cookies."""
    token = request.query_params.get("token", "")
    try:
        await unsubscribe.unsubscribe(session, services_of(request).keys.unsubscribe, token, now=clock())
    except unsubscribe.UnsubscribeTokenInvalid as error:
        return message_page(request, error.status, DEAD_LINK, NOT_WHOLE)
    return page(request, "unsubscribe.html", token=token, done=True)
