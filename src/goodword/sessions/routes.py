"""The routers of sessions."""

from goodword.sessions import api, pages

API = (api.router,)
PAGES = (pages.router,)
