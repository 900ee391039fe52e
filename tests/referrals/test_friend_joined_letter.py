"""The referrer is told when a friend's joining counts: by first name and initial, never by address."""

from people import bring, make_code, register
from second_service import second_service


async def news(post):
    return [letter for letter in await post() if letter.kind == "friend_joined"]


async def test_the_referrer_is_told(alice, post):
    code = await make_code(alice)
    await register(alice.api, "bob", last_name="Builder", referral_code=code["code"])

    (letter,) = await news(post)
    assert letter.to == alice.email
    assert "Bob B. joined" in letter.text
    assert "bob@example.com" not in letter.text + letter.html
    assert "/letters/refuse?token=" in letter.text


async def test_not_before_it_counts(api, alice, post, database_url, tmp_path):
    code = await make_code(alice)
    url = "smtp://127.0.0.1:9?tls=off"
    async with second_service(database_url, smtp_url=url, data_dir=tmp_path) as mailing:
        await register(mailing, "bob", referral_code=code["code"])

    letters = await post()
    assert not [letter for letter in letters if letter.kind == "friend_joined"]
    token = next(letter.token for letter in letters if letter.to == "bob@example.com")
    await api.post("/api/v1/email-verifications/confirm", json={"token": token})
    assert len(await news(post)) == 1


async def test_a_friend_who_left_at_once_is_no_news(alice, post):
    code = await make_code(alice)
    from people import join

    bob = await join(alice.api, "bob", referral_code=code["code"])
    await bob.delete("/api/v1/me", json={"password": bob.password})

    assert await news(post) == []


async def test_a_registration_that_fails_is_no_news(alice, post):
    code = await make_code(alice)
    assert (await register(alice.api, "alice", referral_code=code["code"])).status_code == 409

    assert await news(post) == []


async def test_ten_a_day_are_enough(alice, post):
    await bring(alice, *(f"friend{n}" for n in range(12)))

    assert len(await news(post)) == 10
