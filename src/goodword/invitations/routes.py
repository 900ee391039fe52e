"""The routers of invitations."""

from goodword.invitations import api, home_page, pages

API = (api.router,)
PAGES = (home_page.router, pages.router)
