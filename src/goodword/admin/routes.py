"""The routers of the API and the pages for administrators."""

from fastapi import FastAPI

from goodword.admin import api
from goodword.admin.pages import (
    access,
    api_keys,
    appearance,
    apps,
    audit,
    clicks,
    codes,
    dry_run,
    jobs,
    program_figures,
    programs,
    referral_tree,
    referrals,
    reviews,
    rewards,
    rule_form,
    rules,
    statistics,
    users,
    webhook_deliveries,
    webhooks,
)
from goodword.web.problems import hide_subtree

API = (api.router,)
PAGES = (
    statistics.router,
    users.router,
    referral_tree.router,
    referrals.router,
    reviews.router,
    codes.router,
    rewards.router,
    programs.router,
    program_figures.router,
    rules.router,
    rule_form.router,
    dry_run.router,
    clicks.router,
    apps.router,
    api_keys.router,
    webhooks.router,
    webhook_deliveries.router,
    jobs.router,
    audit.router,
    appearance.router,
)


def install(app: FastAPI) -> None:
    """Respond with 404 to every other path below the API and the pages. Call it after their routes are added."""
    for prefix in (api.PREFIX, access.PREFIX):
        hide_subtree(app, prefix)
