"""API of checks whether an e-mail address is deliverable."""

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
    """Check an address by the list of disposable domains, by an earlier result, or by the provider.

    If the provider is unavailable, slow or not configured, the verdict is `unknown`. You may check 20 addresses
    a day.
    """
    services = services_of(request)
    await email_checks.count_check(services, caller.user_id)
    result = await email_checks.check(services, addresses.parse(email), wait=True)
    return EmailCheckRead(
        email=email, verdict=result.verdict, provider=result.provider, checked_at=result.checked_at
    )
