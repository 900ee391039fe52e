"""After DELETE /api/v1/me no table contains data of messages that were sent, are waiting or have failed."""

from database_search import find_words
from people import PASSWORD

NEW = "alice@example.org"


async def test_erasure_deletes_data_of_sent_messages(api, alice, app, post):
    await api.post("/api/v1/password-resets", json={"email": alice.email})
    await alice.post("/api/v1/me/email-changes", {"email": NEW, "password": PASSWORD})
    assert len(await post()) == 4
    assert await find_words(app, NEW)

    await alice.delete("/api/v1/me", json={"password": PASSWORD})
    await post()

    assert await find_words(app, "alice", "liddell", NEW) == set()
    assert await post() == []


async def test_erasure_deletes_waiting_messages(api, alice, bob, app, post, rows):
    await post()
    await api.post("/api/v1/password-resets", json={"email": alice.email.upper()})
    await alice.post("/api/v1/me/email-changes", {"email": NEW, "password": PASSWORD})
    await bob.post("/api/v1/me/email-changes", {"email": alice.email, "password": PASSWORD})
    await api.post("/api/v1/password-resets", json={"email": bob.email})

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await find_words(app, "alice", NEW) == set()
    assert [message.to for message in await post()] == [bob.email], "his own waits on"


async def test_erasure_deletes_failed_messages(api, alice, app, post, clock, monkeypatch):
    async def out_of_order(*_arguments, **_options):
        raise OSError(28, "No space left on device", "alice@example.com")

    await api.post("/api/v1/password-resets", json={"email": alice.email})
    await alice.post("/api/v1/me/email-changes", {"email": NEW, "password": PASSWORD})
    monkeypatch.setattr("goodword.mail.delivery.deliver", out_of_order)
    for _ in range(12):
        await post()
        clock.forward(hours=2)
    clock.ahead *= 0
    assert await post() == []

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await find_words(app, "alice", NEW) == set()


async def test_erasure_deletes_requests_of_other_users_for_the_address(api, alice, bob, app, post):
    await bob.post("/api/v1/me/email-changes", {"email": "Alice@Example.com", "password": PASSWORD})
    await post()
    assert ("verifications", "alice") in await find_words(app, "alice")

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert await find_words(app, "alice") == set()


async def test_erasure_keeps_data_of_other_users(api, alice, bob, app, post, rows):
    messages = await post()
    token = next(message.token for message in messages if message.to == bob.email)

    await alice.delete("/api/v1/me", json={"password": PASSWORD})

    assert (await api.post("/api/v1/email-verifications/confirm", json={"token": token})).status_code == 204
    own = "SELECT count(*) FROM jobs WHERE kind NOT IN ('forget_traces', 'notice')"  # a notice welcomes Bob
    assert await rows(own) == [(1,)]
