"""The routers of referral codes."""

from goodword.codes import api, pages, qr_api, qr_link

API = (api.public_router, api.owner_router, qr_api.router, qr_link.router)
PAGES = (pages.router,)
warm_answer = api.warm_answer
