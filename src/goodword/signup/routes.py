"""The routers of registration and the landing page."""

from goodword.signup import api, landing_page, link_card, pages

API = (api.router,)
PAGES = (link_card.router, landing_page.router, pages.router)
