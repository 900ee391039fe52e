"""The routers of invitations."""

from goodword.invitations import api, pages

API = (api.router,)
PAGES = (pages.router,)
