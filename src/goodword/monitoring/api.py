"""GET /metrics"""

from fastapi import APIRouter, Request, Response

from goodword.monitoring import access
from goodword.monitoring.database_totals import DatabaseTotals
from goodword.services import services_of

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """Return the metrics of all processes of this node, and the totals of the database."""
    services, headers = services_of(request), dict(request.headers)
    peer = request.client.host if request.client else ""
    if error := access.refusal(services.settings, peer, headers):
        raise error
    # Imported at the first scrape: `prometheus_client` would lengthen each start.
    from goodword.monitoring import exposition

    totals: DatabaseTotals = request.app.state.database_totals
    content, content_type = exposition.render(services, await totals.get(), headers.get("accept", ""))
    return Response(content, headers={"content-type": content_type})
