"""The e-mail to a user whose code expires in three days."""

import re

import pytest

from asgi import client_of
from goodword.invitations.reminders import KIND
from goodword.jobs.service import enqueue
from people import make_code
from third_party import Browser

DAY = 86_400
FOLD = '<details class="card"{}>\\s*<summary>More options'


@pytest.fixture
async def code(alice, clock, post):
    """A code that expires in two days and 23 hours."""
    found = await make_code(alice, lifetime=30 * DAY)
    await post()
    clock.forward(days=27, hours=1)
    return found


@pytest.fixture
def remind(app, clock, post):
    """Run the recurring job, as it runs each hour, and return the messages that were sent."""

    async def run():
        services = app.state.services
        async with services.database.transaction() as session:
            enqueue(session, KIND, {}, now=clock())
        return [message for message in await post() if message.kind == "code_expiring"]

    return run


async def test_the_owner_is_reminded_once_for_each_term(alice, code, remind, clock):
    (message,) = await remind()

    assert message.to == alice.email
    assert "Hi Alice," in message.text
    assert code["code"] in message.text
    assert re.search(r"Extend your link:\nhttp://127.0.0.1:8000/\?extend#extend\n", message.text)
    assert re.search(r"stop working on \d\d [A-Z][a-z]{2} \d{4}, \d\d:\d\d UTC", message.text)
    assert "/unsubscribe?token=gwu_" in message.text
    assert await remind() == []

    await alice.sign_in()
    await alice.patch(f"/api/v1/me/referral-codes/{code['code']}", json={"lifetime": 10 * DAY})
    assert await remind() == []
    clock.forward(days=8)
    (again,) = await remind()
    assert "expires in 2 days" in again.html
    assert await remind() == []


async def test_a_code_of_a_shorter_term_needs_no_reminder(alice, remind, post):
    await make_code(alice, lifetime=2 * DAY)
    await post()

    assert await remind() == []


@pytest.mark.parametrize("gone", ["disabled", "erased", "unsubscribed", "deleted"])
async def test_other_owners_are_not_reminded(alice, rita, code, remind, post, api, gone):
    await alice.sign_in()
    if gone == "disabled":
        await rita.sign_in()
        assert (await rita.post(f"/api/v1/admin/users/{alice.id}/disable", json={})).status_code == 200
    if gone == "erased":
        await alice.delete("/api/v1/me", json={"password": alice.password})
    elif gone == "deleted":
        await alice.delete(f"/api/v1/me/referral-codes/{code['code']}")
    elif gone == "unsubscribed":
        (message,) = await remind()
        token = re.search(r"token=(gwu_\S+)", message.text)[1]
        await api.post("/api/v1/unsubscribes", json={"token": token})
        await alice.patch(f"/api/v1/me/referral-codes/{code['code']}", json={"lifetime": 3 * DAY - 60})
    assert await remind() == []


async def test_the_link_opens_the_form_that_extends_the_code(alice, app, code, remind):
    (message,) = await remind()
    path, _, fragment = message.link.removeprefix("http://127.0.0.1:8000").partition("#")

    async with client_of(app) as client:
        browser = Browser(client)
        sign_in = await browser.get(path)
        assert sign_in.headers["location"] == "/sign-in?next=%2F%3Fextend"
        page = await browser.get(sign_in.headers["location"])
        home = await browser.get((await browser.sign_in_by_form(alice, page)).headers["location"])
        closed = await browser.get("/")

    assert re.search(FOLD.format(" open"), home.text, re.DOTALL)
    assert f'<form id="{fragment}" method="post" action="/code/update">' in home.text
    assert re.search(FOLD.format(""), closed.text, re.DOTALL)
    assert "Welcome to" in (await alice.api.get("/")).text
