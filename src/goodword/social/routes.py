"""The routers of the sign-in with a provider."""

from goodword.social import api

API = (api.router,)
