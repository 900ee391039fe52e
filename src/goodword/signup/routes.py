"""The routers of registration and the landing page."""

from goodword.signup import api, landing_page, pages

MOST_REQUESTED = (landing_page.router,)
API = (api.router,)
PAGES = (pages.router,)
