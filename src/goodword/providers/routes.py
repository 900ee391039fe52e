"""The routers of data from providers."""

from goodword.providers import api

API = (api.router,)
