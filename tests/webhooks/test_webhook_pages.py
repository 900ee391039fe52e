"""The pages of webhooks for administrators: endpoints, their secrets, and what is recorded."""

import html
import re

import pytest

from other_programs import make_program
from pages.pressing import press
from people import register
from webhooks.conftest import URL
from webhooks.shown_pages import LIST, NOWHERE, rows_of, text_of

pytestmark = pytest.mark.one_database

NEW = f"{LIST}/new"


def secret_in(page):
    assert page.status_code == 200, page.text
    return re.search(r"<code>(whsec_[^<]+)</code>", page.text)[1]


async def actions(rows):
    return [row[0] for row in await rows("SELECT action FROM audit_events ORDER BY id")]


async def test_an_endpoint_is_created_and_its_secret_verifies_what_it_gets(
    office, api, receiver, deliver, rows
):
    shown = await press(
        office, NEW, NEW, url=f" {receiver.url} ", description="<b>Acme</b>", **{"user.created": "on"}
    )
    await register(api, "carol")
    await deliver()

    assert receiver.got[0].verify(secret_in(shown))["type"] == "user.created"
    page = await office.get(LIST)
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page.text
    assert "whsec_" not in page.text
    [row] = rows_of(page)
    assert row[1:3] == ["user.created", "enabled"]
    assert row[3] != "–"
    assert row[4] == "–"
    assert "webhook.created" in await actions(rows)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": URL}, "At least one is needed."),
        ({"url": "", "user.created": "on"}, "Enter a whole http or https address"),
        ({"url": "acme.example", "user.created": "on"}, "Enter a whole http or https address"),
        ({"url": "https://10.0.0.1/", "user.created": "on"}, "the address of a public domain name"),
        ({"url": f"{URL}?{'x' * 2000}", "user.created": "on"}, "This is too long."),
        ({"url": URL, "user.created": "on", "description": "x" * 256}, "This is too long."),
        ({"url": URL, "user.created": "on", "program": "nothing"}, "There is no such program."),
    ],
)
async def test_what_is_wrong_is_shown_with_what_was_entered(office, webhooks, fields, said):
    page = await press(office, NEW, NEW, **fields)

    assert page.status_code in (404, 422)
    assert said in html.unescape(page.text)
    assert html.escape(fields["url"]) in page.text
    assert ('name="user.created" value="on" checked' in page.text) == ("user.created" in fields)
    assert (await webhooks.call("GET")).json()["items"] == []


async def test_an_endpoint_can_have_a_program_of_its_own(office, api, webhooks):
    acme = await make_program(api)

    await press(office, NEW, NEW, url=URL, program=acme.slug, **{"reward.approved": "on"})

    [made] = (await webhooks.call("GET")).json()["items"]
    assert made["program"] == acme.slug
    assert acme.name in rows_of(await office.get(LIST))[0]


async def test_at_most_twenty_endpoints_are_created(office, webhooks):
    for _ in range(20):
        await webhooks.create()

    late = await press(office, NEW, NEW, url=URL, **{"user.created": "on"})

    assert late.status_code == 409
    assert "There are 20 endpoints already." in late.text
    assert NEW not in (await office.get(LIST)).text


async def test_an_endpoint_is_changed_disabled_enabled_and_deleted(office, webhooks, rows):
    made = await webhooks.create("user.created")
    here = f"{LIST}/{made['id']}"

    for action, fields in (
        (here, {"url": f"{URL}/2", "description": "Second", "user.erased": "on", "code.created": "on"}),
        (here + "/disable", {}),
        (here + "/disable", {}),
        (here + "/enable", {}),
    ):
        done = await press(office, here, action, **fields)
        assert done.headers["location"].startswith(f"{here}?done="), done.text
        if action.endswith("/disable"):
            assert "By an administrator or a server." in text_of(await office.get(here))
    read = (await webhooks.call("GET", f"/{made['id']}")).json()
    assert (read["url"], read["description"]) == (f"{URL}/2", "Second")
    assert read["kinds"] == ["user.erased", "code.created"]

    assert (await press(office, here, here + "/delete")).headers["location"] == f"{LIST}?done=deleted"

    assert (await office.get(here)).status_code == 404
    assert (await press(office, LIST, here + "/delete")).status_code == 404
    changes = [action for action in await actions(rows) if action.startswith("webhook.")]
    assert changes == ["webhook.created", *["webhook.changed"] * 3, "webhook.deleted"]


async def test_a_wrong_change_keeps_the_endpoint(office, webhooks):
    made = await webhooks.create("user.created")
    here = f"{LIST}/{made['id']}"

    page = await press(office, here, here, url="https://localhost/")

    assert page.status_code == 422
    assert "At least one is needed." in page.text
    assert 'value="https://localhost/"' in page.text
    assert (await webhooks.call("GET", f"/{made['id']}")).json()["url"] == URL


async def test_two_secrets_sign_after_a_rotation(office, api, webhooks, receiver, deliver, clock):
    made = await webhooks.create("user.created", url=receiver.url)
    here = f"{LIST}/{made['id']}"

    shown = await press(office, here, here + "/rotate-secret")
    await register(api, "carol")
    await deliver()

    assert "until" in text_of(shown)
    for secret in (made["secret"], secret_in(shown)):
        assert receiver.got[0].is_signed_by(secret)
    page = await office.get(here)
    assert "the previous one signs until" in page.text
    assert "whsec_" not in page.text
    clock.forward(hours=25)
    assert "the previous one signs until" not in (await office.get(here)).text


@pytest.mark.parametrize("path", [f"{LIST}/{{}}", f"{LIST}/{{}}/deliveries", "/admin/webhook-deliveries/{}"])
async def test_what_is_unknown_is_not_found(office, path):
    assert (await office.get(path.format(NOWHERE))).status_code == 404
    assert (await press(office, LIST, path.format(NOWHERE) + "/replay")).status_code == 404


async def test_the_pages_are_in_russian(office, receiving_endpoint, deliver):
    await press(office, receiving_endpoint, receiving_endpoint + "/test")
    await deliver()
    russian = {"Accept-Language": "ru"}

    for path, said in (
        (LIST, "Успех"),
        (NEW, "Вознаграждение начислено"),
        (receiving_endpoint, "Отправить пробное событие"),
        (receiving_endpoint + "/deliveries", "доставлено"),
    ):
        assert said in (await office.get(path, headers=russian)).text, path
