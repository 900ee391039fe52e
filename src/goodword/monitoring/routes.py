"""The router of monitoring."""

from goodword.monitoring import api

API = (api.router,)
