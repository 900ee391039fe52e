"""The routers of registration and of the page that a friend's link leads to."""

from goodword.signup import api, landing_page, pages

MOST_REQUESTED = (landing_page.router,)
API = (api.router,)
PAGES = (pages.router,)
