"""The routers of the API and the pages for administrators."""

from fastapi import FastAPI

from goodword.admin import api
from goodword.admin.pages import access, audit, codes, jobs, referral_tree, statistics, users

PAGES = (statistics.router, users.router, referral_tree.router, codes.router, jobs.router, audit.router)


def install(app: FastAPI) -> None:
    """Add the API, and respond with 404 to every other path below it and below the pages."""
    api.install(app)
    access.install(app)
