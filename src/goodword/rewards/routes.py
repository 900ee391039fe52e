"""The routers of events, reward rules and rewards."""

from goodword.rewards import events_api, pages, rewards_api, rules_api

API = (
    events_api.router,
    rules_api.router,
    rewards_api.router,
    rewards_api.participant_router,
    rewards_api.own_router,
)
PAGES = (pages.router,)
