"""Tells the programs that open links by themselves from the browsers of people."""

import re
from functools import lru_cache

import crawleruseragents

MAX_LENGTH = 512
"""Characters that are compared. The longest browsers, those within apps, send about 400."""
# The list of `crawler-user-agents` has what fetches previews for Slack, WhatsApp, Telegram, Facebook, Discord and
# others. Not in it: those of Bluesky and Microsoft Office, and robots that are new. Most of them name their address.
_MORE = re.compile(r"Cardyb|LinkPreview|ms-office|\+https?:", re.IGNORECASE)
_IN_APP = re.compile(r"\bViber/[\d.]+")
"""The browser of an app that the list takes for the app itself, which fetches previews."""


def is_robot(user_agent: str) -> bool:
    """Return whether a program with this `User-Agent` opens links without a person. Every browser sends `Mozilla`."""
    return _is_robot(user_agent[:MAX_LENGTH])


@lru_cache(2048)
def _is_robot(user_agent: str) -> bool:
    if not user_agent.startswith("Mozilla/"):
        return True
    return bool(_MORE.search(user_agent)) or crawleruseragents.is_crawler(_IN_APP.sub("", user_agent))
