"""The routers of referral codes."""

from goodword.codes import api, pages, qr_api

MOST_REQUESTED = (api.anyones,)
API = (api.mine, qr_api.router)
PAGES = (pages.router,)
