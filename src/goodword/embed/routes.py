"""The routers of the scripts for other sites."""

from goodword.embed import scripts

API = (scripts.router,)
