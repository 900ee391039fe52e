"""Checks of the providers of data and of sign-in. None of them spends a credit."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from sqlalchemy import select

from goodword.doctor.findings import Check, Finding, Level, NotUsed, error, ok, warning
from goodword.doctor.installation import Installation
from goodword.outbound.http_client import OutboundClient
from goodword.providers import hunter
from goodword.providers.models import BreakerState, ProviderState
from goodword.providers.responses import Answer, Outcome, ask
from goodword.social.openid import Metadata
from goodword.social.providers import OpenIDProvider, configured

BUDGET = 4.0


async def _get(url: str, **options: Any) -> Answer:
    client = OutboundClient()
    try:
        return await ask(client, url, params={}, budget=BUDGET, **options)
    finally:
        await client.close()


async def check_hunter(installation: Installation) -> Finding:
    """Ask for the account, which Hunter does not count."""
    settings = installation.settings
    if settings.hunter_api_key is None:
        raise NotUsed("HUNTER_API_KEY is not set")
    answer = await _get(f"{settings.hunter_url}/v2/account", headers=hunter.headers(settings))
    if answer.outcome is Outcome.KEY_REFUSED:
        return error("Hunter refuses the key.")
    if answer.outcome is Outcome.BROKEN:
        return warning("Hunter does not answer.")
    if answer.outcome is not Outcome.ANSWER:
        return warning(f"Hunter does not serve this account now ({answer.outcome}).")
    return ok("Hunter accepts the key.")


async def check_breakers(installation: Installation) -> Finding:
    await installation.migrated()
    columns = (ProviderState.name, ProviderState.failures, ProviderState.open_until)
    rows = await installation.rows(select(*columns))
    now = installation.now()
    states = [ProviderState(name=row.name, failures=row.failures, open_until=row.open_until) for row in rows]
    paused = sorted(state.name for state in states if state.breaker(now) is BreakerState.OPEN)
    if paused:
        return warning(f"Paused after failures: {', '.join(paused)}.")
    return ok("No provider is paused.")


async def check_sign_in(installation: Installation) -> Finding:
    providers = [one for one in configured(installation.settings) if isinstance(one, OpenIDProvider)]
    if not providers:
        raise NotUsed("no OpenID provider is set")
    wrong = []
    for provider in providers:
        answer = await _get(f"{provider.issuer}/.well-known/openid-configuration")
        try:
            found = Metadata.model_validate(answer.value)
        except ValidationError:
            found = None
        if found is None or found.issuer != provider.issuer:
            wrong.append(provider.slug)
    if wrong:
        return warning(f"No configuration of this issuer comes from: {', '.join(wrong)}.")
    return ok("The providers of sign-in answer.")


async def check_traces(installation: Installation) -> Finding:
    endpoint = installation.settings.otlp_endpoint
    if endpoint is None:
        raise NotUsed("OTLP_ENDPOINT is not set")
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(BUDGET):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return warning("The collector of traces does not answer.")
    writer.transport.abort()
    return ok("The collector of traces answers.")


CHECKS: Sequence[Check] = (
    Check(
        id="hunter-key",
        title="Hunter accepts the key",
        remedy="Set `GOODWORD_HUNTER_API_KEY` to a key of the account. Addresses count as unknown meanwhile.",
        level=Level.ERROR,
        run=check_hunter,
    ),
    Check(
        id="providers-paused",
        title="No provider of data is paused",
        remedy="See the log for `provider paused`: a refused key, a used-up plan, or an outage.",
        level=Level.WARNING,
        run=check_breakers,
    ),
    Check(
        id="sign-in-providers",
        title="The providers of sign-in publish their configuration",
        remedy="Correct `GOODWORD_OIDC_ISSUER`, which is the `issuer` of the provider's configuration.",
        level=Level.WARNING,
        run=check_sign_in,
    ),
    Check(
        id="traces",
        title="The collector of traces answers",
        remedy="Start the collector, or correct `GOODWORD_OTLP_ENDPOINT`. The service works without it.",
        level=Level.WARNING,
        run=check_traces,
    ),
)
