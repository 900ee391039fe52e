"""The page that requests a change of the address."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.account import credentials, service
from goodword.account.schemas import EmailChange
from goodword.errors import AppError
from goodword.providers.email_checks import ensure_deliverable
from goodword.rate_limits.dependencies import count_email
from goodword.services import services_of
from goodword.sessions.cookies import Visitor
from goodword.sessions.page_access import signed_in
from goodword.users import addresses, service as users
from goodword.users.models import Purpose
from goodword.web.client_address import client_network
from goodword.web.dependencies import Clock, Reader, Session
from goodword.web.forms import read_form
from goodword.web.html.form_errors import error_context
from goodword.web.html.rendering import link, page

router = APIRouter(include_in_schema=False)

HERE = "/account/address"
PageVisitor = Annotated[Visitor, signed_in(HERE)]
FIELDS = ("email", "password")


@router.get(HERE)
async def show_email_change(request: Request, visitor: PageVisitor, reader: Reader) -> Response:
    return await _page(request, reader, visitor)


@router.post(HERE)
async def request_email_change(
    request: Request, visitor: PageVisitor, session: Session, clock: Clock
) -> Response:
    """Send a message to the new address. The page is the same if another account has the address."""
    form = await read_form(request)
    email = form.get("email", "").strip()
    given = {"email": email, "password": form.get("password", "")}
    try:
        body = EmailChange(**{name: text for name, text in given.items() if text})
        password_hash = await service.confirm_password(
            services_of(request), visitor.user_id, body.password, network=client_network(request)
        )
        await count_email(request, Purpose.CHANGE_EMAIL, addresses.parse(body.email).key)
        await ensure_deliverable(services_of(request), body.email)
        await credentials.request_email_change(
            session, visitor.user_id, body.email, password_hash=password_hash, now=clock()
        )
    except (ValidationError, AppError) as error:
        return await _page(request, session, visitor, email=email, error=error)
    return await _page(request, session, visitor, email=email, done=True)


async def _page(
    request: Request,
    session: AsyncSession,
    visitor: Visitor,
    *,
    email: str = "",
    done: bool = False,
    error: AppError | ValidationError | None = None,
) -> Response:
    services = services_of(request)
    return page(
        request,
        "account_address.html",
        **error_context(request, error, FIELDS),
        here=link(request, HERE),
        user=await users.get(session, visitor.user_id),
        email=email,
        done=done,
        is_sent=services.settings.mail_server is not None,
        form_token=services.page_cookies.form_token(visitor),
    )
