"""/admin/appearance: the settings of the brand, with previews of the landing page, the e-mail and the card."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from fastapi import Request, Response

from goodword.admin.pages.access import Administrator, admin_page, router as admin_router
from goodword.codes import code_format
from goodword.codes.schemas import CodeFound, Referrer
from goodword.languages import to_translate
from goodword.mail.messages import MessageContents, MessageKind, build_message
from goodword.services import services_of
from goodword.web.dependencies import Clock, Reader
from goodword.web.html.rendering import POLICY, html_response, link, translate_for

router = admin_router()

NAME, CODE = "Alice", "EXAMPLE-CODE"
"""The inviter and the code of the previews."""
EMAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'"
"""Mail programs run no scripts. The styles of an e-mail are in its markup."""
SETTINGS: Mapping[str, str] = {
    "brand_name": to_translate("The name of your product, on every page and in every e-mail."),
    "brand_url": to_translate("The website that the name in the top bar leads to."),
    "brand_logo": to_translate("The logo beside the name. E-mails show a PNG file, but no SVG."),
    "brand_color": to_translate(
        "The color of buttons and links. Shades for both themes are derived from it."
    ),
    "brand_credit": to_translate("Whether the footer names the software that runs the service."),
    "offer": to_translate("Why a friend should join. Shown on the landing page and the card."),
    "share_text": to_translate("The text that is shared with a link."),
    "terms_url": to_translate("A link in the footer of pages."),
    "privacy_url": to_translate("A link in the footer of pages."),
    "support_email": to_translate("The address for questions, in the footers of pages and e-mails."),
    "postal_address": to_translate("Your postal address, in the footer of e-mails."),
    "after_sign_up_url": to_translate("Where new users go after sign-up."),
    "sign_up": to_translate("Who can sign up: everyone (open), friends with a code (code), or no one (off)."),
    "first_code": to_translate("Whether users create their first code (ask), or it is ready (automatic)."),
    "pages": to_translate("Whether the pages of users are on."),
}


class Setting(NamedTuple):
    variable: str
    values: tuple[str, ...]
    """One, or one for each language. Empty if it is not set."""
    about: str


@router.get("/appearance")
async def show_appearance(request: Request, visitor: Administrator, reader: Reader) -> Response:
    """Show the settings, and the previews in frames."""
    settings = services_of(request).settings
    response = await admin_page(
        request,
        reader,
        visitor,
        "admin_appearance.html",
        rows=[
            Setting(
                f"GOODWORD_{name.upper()}", _texts(getattr(settings, name)), translate_for(request, about)
            )
            for name, about in SETTINGS.items()
        ],
    )
    response.headers["Content-Security-Policy"] += "; frame-src 'self'"
    return response


@router.get("/appearance/landing")
async def preview_landing(request: Request, clock: Clock) -> Response:
    """Show the landing page of an invented code."""
    services = services_of(request)
    language = services.page_cookies.language(request)
    # A whole hour, because the cache of pages holds one for each time.
    expires_at = (clock() + timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
    code = CodeFound(code=CODE, expires_at=expires_at, referrer=Referrer(display_name=NAME))
    providers = tuple(services.social_clients.labels.items())
    here = link(request, "/admin/appearance")
    text = services.landing_pages.page(code.model_dump_json().encode(), language, here, providers)
    return _framed(html_response(text, language), POLICY)


@router.get("/appearance/email")
async def preview_email(request: Request, clock: Clock) -> Response:
    """Show an invitation as a mail program does."""
    services = services_of(request)
    settings, language = services.settings, services.page_cookies.language(request)
    url = code_format.link(settings.public_url, CODE)
    message = build_message(
        MessageKind.INVITATION,
        to="friend@example.com",
        job_id=uuid.UUID(int=0),
        settings=settings,
        now=clock(),
        language=language,
        contents=MessageContents(link=url, name=NAME, code=CODE, unsubscribe_link=url),
    )
    part = message.get_body(("html",))
    text: str = part.get_content() if part else ""
    assets = services.page_assets
    text = text.replace("cid:logo", link(request, assets.path(assets.icon)))
    return _framed(html_response(text, language), EMAIL_POLICY)


@router.get("/appearance/card.png")
async def preview_card(request: Request) -> Response:
    """Send the picture that messengers show for a link."""
    services = services_of(request)
    picture = await services.link_cards.draw(NAME, services.page_cookies.language(request))
    return Response(picture, media_type="image/png")


def _framed(response: Response, policy: str) -> Response:
    """Allow the pages of this service to show a response in a frame."""
    response.headers["Content-Security-Policy"] = policy.replace(
        "frame-ancestors 'none'", "frame-ancestors 'self'"
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        return tuple(f"{language}: {text}" for language, text in value.items())
    return () if value is None else (str(value),)
