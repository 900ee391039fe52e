"""The home page of a service without pages."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from goodword.services import services_of
from goodword.web.html.rendering import see_other

router = APIRouter(include_in_schema=False)


@router.get("/")
async def lead_to_product(request: Request) -> Response:
    """Redirect to the product: forms and links that end here have no page of this service to go to."""
    product = services_of(request).settings.brand_url
    if product is None:
        raise HTTPException(404)
    return see_other(product)
