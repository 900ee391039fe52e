"""The routers of what all pages share."""

from goodword.web.html import assets, language

PAGES = (language.router, assets.router)
