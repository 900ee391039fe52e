"""The routers of programs."""

from goodword.programs import api

API = (api.router,)
