"""The routers of participants."""

from goodword.participants import api, batch_api

API = (batch_api.router, api.router)
