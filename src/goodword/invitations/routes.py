"""The routers of invitations."""

from goodword.invitations import api, home_page, pages

API = (api.router,)
PAGES = (pages.router,)
SIGNED_IN_PAGES = (home_page.router,)
