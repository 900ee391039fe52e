"""The routers of registration and the landing page."""

from goodword.signup import api, landing_page, pages

API = (api.router,)
PAGES = (landing_page.router, pages.router)
