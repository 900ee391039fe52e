"""The page that unsubscribes, also with one click in a mail client (RFC 8058)."""

from fastapi import APIRouter, Request, Response

from goodword.languages import to_translate
from goodword.mail import unsubscribe
from goodword.rate_limits.dependencies import limited
from goodword.services import services_of
from goodword.web.dependencies import Clock, Session
from goodword.web.html.rendering import message_page, page
from goodword.web.rewritten_paths import REWRITTEN

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)

DEAD_LINK = to_translate("This link does not work")
NOT_WHOLE = to_translate("This link is incomplete. Copy it from the e-mail again.")


@router.get(REWRITTEN)
async def show_unsubscribe(request: Request) -> Response:
    """Show a page with a button. It changes nothing, because virus scanners follow every link."""
    return page(request, "unsubscribe.html", token=_token(request), done=False)


@router.post(REWRITTEN, dependencies=[limited("email-token")])
async def unsubscribe_from_page(request: Request, session: Session, clock: Clock) -> Response:
    """Stop e-mails to an address. The token is enough: mail clients send no cookies."""
    token = _token(request)
    try:
        await unsubscribe.unsubscribe(session, services_of(request).keys.unsubscribe, token, now=clock())
    except unsubscribe.UnsubscribeTokenInvalid as error:
        return message_page(request, error.status, DEAD_LINK, NOT_WHOLE)
    return page(request, "unsubscribe.html", token=token, done=True)


def _token(request: Request) -> str:
    return unsubscribe.find_token(request.query_params.get("token") or request.scope["path"])
