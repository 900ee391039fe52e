"""/email-checks: whether mail to an address arrives."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from goodword.providers import email_checks
from goodword.providers.schemas import EmailCheckRead
from goodword.services import services_of
from goodword.sessions.auth import Account
from goodword.users import addresses
from goodword.users.addresses import Email
from goodword.web.json_body import JsonRoute
from goodword.web.openapi import problems

router = APIRouter(prefix="/api/v1/email-checks", tags=["Checking an address"], route_class=JsonRoute)


@router.get("", summary="Check an address", responses=problems(email_checks.TooManyChecks))
async def check_email(
    email: Annotated[Email, Query(description="The address to check.")], request: Request, caller: Account
) -> EmailCheckRead:
    """What is known of an address: from our list of disposable domains, from memory, or from the provider.

    A provider that is out, slow or not set up makes the verdict `unknown`, never an error. You may ask
    20 times a day.
    """
    services = services_of(request)
    if services.settings.rate_limits == "on":
        async with services.database.transaction() as session:
            await email_checks.count_check(
                session, services.keys.quotas, caller.user_id, now=services.clock()
            )
    known = await email_checks.look(services, addresses.parse(email), patient=True)
    return EmailCheckRead(
        email=email, verdict=known.verdict, provider=known.provider, checked_at=known.checked_at
    )
