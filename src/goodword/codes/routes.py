"""The routers of referral codes."""

from goodword.codes import api, pages, qr_api

MOST_REQUESTED = (api.public_router,)
API = (api.owner_router, qr_api.router)
PAGES = (pages.router,)
