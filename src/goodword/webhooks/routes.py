"""The routers of webhooks."""

from goodword.webhooks import api, deliveries_api

API = (api.router, deliveries_api.router)
