"""The routers of referrals."""

from goodword.referrals import api, pages

API = (api.router,)
PAGES = (pages.router,)
