"""The routers of what all pages share."""

from goodword.web.html import assets, home, language

PAGES = (language.router, assets.router)
INSTEAD_OF_PAGES = (home.router,)
