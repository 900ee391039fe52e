"""The routers of referrals."""

from goodword.referrals import api, pages

API = (api.router, api.own_router)
PAGES = (pages.router,)
