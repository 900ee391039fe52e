"""The router of attribution."""

from goodword.attribution import api

API = (api.router,)
