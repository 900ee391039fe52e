"""The routers of what other services are asked for."""

from goodword.providers import api

API = (api.router,)
