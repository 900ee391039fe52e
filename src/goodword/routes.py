"""The routes of all features, in the order of the documentation. The first that matches a path is used."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import Scope

from goodword import health
from goodword.account import routes as account
from goodword.admin import routes as admin
from goodword.attribution import routes as attribution
from goodword.codes import routes as codes
from goodword.embed import routes as embed
from goodword.invitations import routes as invitations
from goodword.monitoring import routes as monitoring
from goodword.oauth import routes as oauth
from goodword.participants import routes as participants
from goodword.programs import routes as programs
from goodword.providers import routes as data_providers
from goodword.referrals import routes as referrals
from goodword.rewards import routes as rewards
from goodword.risk import routes as risk
from goodword.sessions import page_access, routes as sessions
from goodword.signup import routes as signup
from goodword.social import routes as social
from goodword.web.html import routes as html
from goodword.webhooks import routes as webhooks

ROUTERS: Sequence[APIRouter] = (
    *codes.API,
    *attribution.API,
    *referrals.API,
    *account.API,
    *sessions.API,
    *signup.API,
    *oauth.API,
    *social.API,
    *invitations.API,
    *data_providers.API,
    *participants.API,
    *programs.API,
    *risk.API,
    *webhooks.API,
    *rewards.API,
    *embed.API,
    *oauth.PAGES,
    *account.PAGES,
    *sessions.PAGES,
    *signup.PAGES,
    *invitations.PAGES,
    *html.PAGES,
    health.router,
    *monitoring.API,
    *admin.API,
)
SIGNED_IN_PAGES: Sequence[APIRouter] = (
    *codes.PAGES,
    *invitations.SIGNED_IN_PAGES,
    *referrals.PAGES,
    *rewards.PAGES,
    *account.SIGNED_IN_PAGES,
    *admin.PAGES,
)
"""The pages of a signed-in user. Without them, those to which e-mails and the sign-in of apps lead stay."""


def warm_answer(scope: Scope) -> bytes | None:
    """Return the JSON document that answers a GET, if memory has it. The middleware sends it at once.

    It counts the request. Raises `RateLimited`.
    """
    if scope["method"] != "GET":
        return None
    return health.warm_answer(scope) or codes.warm_answer(scope)


def install(app: FastAPI, *, pages: bool) -> None:
    """Add all routes. Without `pages`, the home page leads to the product."""
    for router in (*ROUTERS, *(SIGNED_IN_PAGES if pages else html.INSTEAD_OF_PAGES)):
        _add_routes(app, router)
    admin.install(app)
    page_access.install(app)


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    # Single routes instead of nested routers: searching those takes longer than most requests.
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.unique_id = route.name
        app.router.routes.append(route)
