"""Unsubscribing from e-mails that other users cause: by link, in the mail client, and by API."""

import email
import re
from dataclasses import replace

import pytest

from goodword.composition import build_worker
from goodword.mail import delivery
from people import bring, join, make_code

pytestmark = pytest.mark.one_database

UNSUBSCRIBE = "/api/v1/unsubscribes"


@pytest.fixture
async def token(api, alice, post):
    """Return the unsubscribe token of an invitation of Alice's to Dave."""
    await make_code(alice)
    await post()
    await alice.post("/api/v1/me/invitations", {"email": "dave@example.org"})
    return token_of(await post.only("dave@example.org"))


def token_of(message):
    return re.search(r"/unsubscribe\?token=(\S+)", message.text)[1]


async def send_all(api, alice, *, email="dave@example.org"):
    carol = await join(api, "carol")
    await make_code(carol)
    await carol.post("/api/v1/me/invitations", {"email": email})
    body = {"referrer_email": alice.email, "email": email}
    await api.post("/api/v1/referral-code-emails", json=body)


async def to_dave(post):
    return [message for message in await post() if message.to.endswith("@example.org")]


async def test_emails_are_sent_before_unsubscribing(api, alice, token, post):
    await send_all(api, alice)

    assert len(await to_dave(post)) == 2


@pytest.mark.parametrize("address", ["dave@example.org", "Dave+other@EXAMPLE.org"])
async def test_no_emails_are_sent_after_unsubscribing(api, alice, token, post, address):
    answer = await api.post(UNSUBSCRIBE, json={"token": token})
    again = await api.post(UNSUBSCRIBE, json={"token": token})
    await send_all(api, alice, email=address)

    assert (answer.status_code, again.status_code) == (204, 204)
    assert await to_dave(post) == []


async def test_a_queued_email_is_not_sent(api, alice, token, post):
    await send_all(api, alice)
    await api.post(UNSUBSCRIBE, json={"token": token})

    assert await to_dave(post) == []


async def test_an_email_waiting_for_a_retry_is_not_sent(api, alice, token, post, clock, monkeypatch):
    async def out_of_order(*_arguments, **_options):
        raise delivery.NotDelivered("out of order")

    await send_all(api, alice)
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "deliver", out_of_order)
        assert await to_dave(post) == []
    await api.post(UNSUBSCRIBE, json={"token": token})
    clock.forward(minutes=1)

    assert await to_dave(post) == []


async def test_the_link_shows_a_page_and_changes_nothing(api, alice, token, post, rows):
    page = await api.get("/unsubscribe", params={"token": token})

    assert page.status_code == 200
    assert f'action="/unsubscribe?token={token}"' in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert await rows("SELECT count(*) FROM unsubscribes") == [(0,)]


@pytest.mark.parametrize(
    "body",
    [{"data": {"List-Unsubscribe": "One-Click"}}, {"files": {"List-Unsubscribe": (None, "One-Click")}}, {}],
)
async def test_the_page_and_one_click_unsubscribe(api, token, rows, body):
    answer = await api.post("/unsubscribe", params={"token": token}, **body)

    assert answer.status_code == 200
    assert "You have unsubscribed" in answer.text
    assert await rows("SELECT count(*) FROM unsubscribes") == [(1,)]


async def test_an_invalid_token_changes_nothing(api, token, rows):
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    inside = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    for wrong in (
        flipped,
        inside,
        token[:-4],
        token + "AAAA",
        "gwu_",
        "",
        token.removeprefix("gwu_"),
        "ü" * 68,
    ):
        answer = await api.post(UNSUBSCRIBE, json={"token": wrong})
        assert answer.status_code == 400
        assert answer.json()["code"] == "token_invalid"
        page = await api.post("/unsubscribe", params={"token": wrong})
        assert page.status_code == 400
        assert (await api.get("/unsubscribe", params={"token": wrong})).status_code == 200
    assert await rows("SELECT count(*) FROM unsubscribes") == [(0,)]


async def test_stores_neither_address_nor_token(api, token, rows):
    import base64

    await api.post(UNSUBSCRIBE, json={"token": token})
    ((kept,),) = await rows("SELECT address_mac FROM unsubscribes")

    assert b"dave" not in bytes(kept)
    answer = await api.post(
        UNSUBSCRIBE, json={"token": "gwu_" + base64.urlsafe_b64encode(bytes(kept)).decode()}
    )
    assert answer.status_code == 400


async def test_emails_have_list_unsubscribe_headers(app, alice, post):
    settings = app.state.services.settings.model_copy(
        update={"public_url": "https://refer.example.com/goodword"}
    )
    await make_code(alice)
    await alice.post("/api/v1/me/invitations", {"email": "dave@example.org"})
    await build_worker(replace(app.state.services, settings=settings)).run_due()
    (path,) = (app.state.services.settings.data_dir / "emails").glob("invitation-*.eml")
    message = email.message_from_bytes(path.read_bytes())

    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(
        r"<https://refer\.example\.com/goodword/unsubscribe\?token=gwu_[\w-]{64}>",
        message["List-Unsubscribe"].strip(),  # folded: its line would be longer than 78 characters
    )
    assert "evil" not in message["From"]


async def test_account_emails_are_still_sent(api, alice, post):
    await bring(alice, "bob")
    invitation = next(one for one in await post() if one.kind == "friend_joined")
    await api.post(UNSUBSCRIBE, json={"token": token_of(invitation)})
    await api.post("/api/v1/password-resets", json={"email": alice.email})

    assert [message.kind for message in await post()] == ["reset_password"]
