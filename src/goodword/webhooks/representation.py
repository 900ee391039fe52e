"""Endpoints as the API shows them."""

from goodword.services import Services
from goodword.webhooks.models import WebhookEndpoint
from goodword.webhooks.schemas import WebhookEndpointRead, WebhookEndpointWithSecret


async def read_endpoint(services: Services, endpoint: WebhookEndpoint) -> WebhookEndpointRead:
    return WebhookEndpointRead.model_validate(await _values(services, endpoint))


async def with_secret(
    services: Services, endpoint: WebhookEndpoint, secret: str
) -> WebhookEndpointWithSecret:
    values = await _values(services, endpoint) | {"secret": secret}
    return WebhookEndpointWithSecret.model_validate(values)


async def _values(services: Services, endpoint: WebhookEndpoint) -> dict[str, object]:
    program_id = endpoint.program_id
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "kinds": endpoint.kinds.split(),
        "description": endpoint.description,
        "program": None if program_id is None else (await services.programs.get(program_id)).slug,
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": endpoint.created_at,
    }
