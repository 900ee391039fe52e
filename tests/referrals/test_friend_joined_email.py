"""The e-mail to a referrer about a confirmed referral."""

from people import bring, make_code, register
from second_service import second_service


async def notifications(post):
    return [message for message in await post() if message.kind == "friend_joined"]


async def test_the_referrer_is_notified(alice, post):
    code = await make_code(alice)
    await register(alice.api, "bob", last_name="Builder", referral_code=code["code"])

    (message,) = await notifications(post)
    assert message.to == alice.email
    assert "Bob B. joined" in message.text
    assert "bob@example.com" not in message.text + message.html
    assert "/unsubscribe?token=" in message.text


async def test_not_sent_before_the_referral_is_confirmed(api, alice, post, database_url, tmp_path):
    code = await make_code(alice)
    url = "smtp://127.0.0.1:9?tls=off"
    async with second_service(database_url, smtp_url=url, data_dir=tmp_path) as mailing:
        await register(mailing, "bob", referral_code=code["code"])

    messages = await post()
    assert not [message for message in messages if message.kind == "friend_joined"]
    token = next(message.token for message in messages if message.to == "bob@example.com")
    await api.post("/api/v1/email-verifications/confirm", json={"token": token})
    assert len(await notifications(post)) == 1


async def test_not_sent_for_an_erased_referee(alice, post):
    code = await make_code(alice)
    from people import join

    bob = await join(alice.api, "bob", referral_code=code["code"])
    await bob.delete("/api/v1/me", json={"password": bob.password})

    assert await notifications(post) == []


async def test_not_sent_for_a_failed_registration(alice, post):
    code = await make_code(alice)
    assert (await register(alice.api, "alice", referral_code=code["code"])).status_code == 409

    assert await notifications(post) == []


async def test_at_most_ten_a_day(alice, post):
    await bring(alice, *(f"friend{n}" for n in range(12)))

    assert len(await notifications(post)) == 10
