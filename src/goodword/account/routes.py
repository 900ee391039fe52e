"""The routers of a user's own account."""

from goodword.account import api, credentials_api, email_change_page, pages, recovery_api, recovery_pages

API = (api.router, credentials_api.router, recovery_api.router)
PAGES = (email_change_page.router, recovery_pages.router)
SIGNED_IN_PAGES = (pages.router,)
