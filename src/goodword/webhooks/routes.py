"""The routers of webhooks."""

from goodword.webhooks import api

API = (api.router,)
