"""The routers of the OAuth 2.0 server."""

from goodword.oauth import api, apps_api, discovery, logout_pages, pages, userinfo_api

API = (api.router, userinfo_api.router, apps_api.router, discovery.router)
PAGES = (pages.router, logout_pages.router)
