"""The routers of administration."""

from fastapi import FastAPI

from goodword.admin import api
from goodword.admin.pages import access, audit, codes, jobs, referral_tree, statistics, users

PAGES = (
    statistics.router,
    users.router,
    referral_tree.router,
    codes.router,
    jobs.router,
    audit.router,
)


def install(app: FastAPI) -> None:
    """Add the API, and answer every other path below it and below the pages as if nothing were there."""
    api.install(app)
    access.install(app)
