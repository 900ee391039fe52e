"""The routers of the sign-in by a provider's account."""

from goodword.social import api

API = (api.router,)
