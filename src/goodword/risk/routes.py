"""The routers of the review."""

from goodword.risk import api

API = (api.router,)
