"""The referral tree of people who have a referrer in each of two programs."""

import pytest

from asgi import client_of
from attribution.histories import DAY, History
from attribution.world import build
from goodword.attribution.service import Attributed
from third_party import Browser

LONG = {"late_entry_grace": 1000 * DAY}


@pytest.fixture
async def browser_of_rita(app, rita):
    async with client_of(app) as client:
        browser = Browser(client)
        await browser.sign_in(rita)
        yield browser


async def tree_of(rita, user):
    answer = await rita.get(f"/api/v1/admin/users/{user.id}/referral-tree", params={"depth": 5})
    assert answer.status_code == 200, answer.text
    return [(node["level"], node["display_name"]) for node in answer.json()["items"]]


async def test_a_user_with_two_referrers_is_there_once(app, rita):
    """Alice referred Dave in a program and Bob in another, and Dave referred Bob too."""
    history = History(expected=None, program=LONG)
    made = await build(app, history)
    for person, code in (("dave", "alice"), ("bob", "alice"), ("bob", "dave"), ("carol", "bob")):
        made.person, made.history = (
            made.owners[person],
            History(expected=code, code=code, program=LONG, existing={}),
        )
        found = await made.claim()
        assert isinstance(found, Attributed)
        assert found.referrer_external_id == code

    assert sorted(await tree_of(rita, made.owners["alice"])) == [
        (0, "Alice"),
        (1, "Bob"),
        (1, "Dave"),
        (2, "Carol"),
    ]


async def test_a_circle_through_two_programs_ends(app, browser_of_rita, rita):
    made = await build(app, History(expected=None, program=LONG))
    for person, code in (("dave", "alice"), ("alice", "dave")):
        made.person, made.history = made.owners[person], History(expected=code, code=code, existing={})
        await made.claim()

    assert await tree_of(rita, made.owners["alice"]) == [(-1, "Dave"), (0, "Alice"), (1, "Dave")]
    page = await browser_of_rita.get(f"/admin/users/{made.owners['alice'].id}/tree?depth=5")
    assert page.status_code == 200
