"""/admin/audit: who did what to what, and how far the chain has come."""

import re
import uuid

import pytest

from audit_table import meddle, seal
from goodword.actor import Actor
from goodword.admin.pages import audit_messages as words
from goodword.audit import service as audit
from goodword.audit.actions import Action, Subject
from goodword.languages import LANGUAGES
from goodword.web.html.rendering import translate
from pages.pressing import press
from people import make_code, register

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
PATH = "/admin/audit"


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


def actions(page):
    """The names of the events that it shows."""
    assert page.status_code == 200, page.text
    body = page.text.partition("<tbody")[2]
    return re.findall(r"<p>([a-z_]+\.[a-z_]+)", body)


async def shown(office, **query):
    return await office.get(PATH, params=query)


@pytest.mark.parametrize(
    ("names", "said"),
    [(Action, words.ACTIONS), (Subject, words.SUBJECTS), (Actor, words.ACTORS)],
    ids=["actions", "subjects", "actors"],
)
def test_everything_in_the_registry_has_words(names, said):
    assert set(said) == set(names), "say in plain words what it is"
    for language in LANGUAGES:
        texts = [translate(language, one) for one in said.values()]
        assert len(set(texts)) == len(texts), "two of them cannot be told apart"


async def test_an_event_says_who_did_what_to_what_and_from_where(office, alice, rita, rows):
    await rita.post(f"/api/v1/admin/users/{alice.id}/disable", None)

    page = await shown(office, action="user.disabled")

    assert actions(page) == ["user.disabled"]
    row = page.text.partition("<tbody")[2].partition("</tbody>")[0]
    ((request_id,),) = await rows("SELECT request_id FROM audit_events WHERE action = 'user.disabled'")
    assert "Account disabled" in row
    assert f'<a href="/admin/users/{rita.id}">Rita</a>' in row
    assert f'<a href="/admin/users/{alice.id}">Alice Liddell</a>' in row
    assert "127.0.0.1" in row
    assert request_id in row
    assert "<time datetime=" in row


async def test_the_latest_come_first_and_are_asked_for_by_kind(office, alice):
    await make_code(alice)

    page = await shown(office)
    assert actions(page)[0] == "code.issued"
    assert actions(page)[-1] == "user.registered"
    assert set(actions(await shown(office, action="user.registered"))) == {"user.registered"}
    assert actions(await shown(office, action="keys.rotated")) == []
    assert "Nothing matches these filters." in (await shown(office, action="keys.rotated")).text
    assert actions(await shown(office, action="no.such")) == actions(page), "what is no kind is not asked for"


async def test_what_happened_to_a_person_is_one_click_away(office, alice, bob):
    await press(office, f"/admin/users/{alice.id}", f"/admin/users/{alice.id}/disable")

    person = (await office.get(f"/admin/users/{alice.id}")).text
    [onward] = re.findall(r'<a href="(/admin/audit\?q=[^"]+)">View events', person)
    page = await office.get(onward)

    found = {"user.viewed", "sessions.ended", "user.disabled", "session.started", "user.registered"}
    assert set(actions(page)) == found
    assert bob.id not in page.text
    assert actions(await shown(office, q="ALICE@example.com")) == actions(page)
    assert actions(await shown(office, q=alice.id, action="user.disabled")) == ["user.disabled"]


@pytest.mark.parametrize(
    "q", ["nobody@example.com", "%", "' OR 1=1 --", "💥", "x" * 101, "\u202eabc", "a\x00b"]
)
async def test_what_names_nobody_is_told_so(office, alice, q):
    page = await office.get(f"{PATH}?q=" + "".join(f"%{byte:02x}" for byte in q.encode()))

    assert actions(page) == []
    assert 'id="q-error"' in page.text


async def test_the_rows_of_somebody_erased_stay_and_name_nobody(office, alice):
    code = await make_code(alice)
    here = f"/admin/users/{alice.id}"
    await press(office, f"{here}/erase", f"{here}/erase", email=alice.email)

    page = await shown(office, q=alice.id)

    assert "user.erased" in actions(page)
    assert "Erased user" in page.text
    for word in ("Alice", "Liddell", alice.email, code["code"]):
        assert word not in page.text


async def test_an_id_that_no_account_has_is_shown_as_it_is(office, app, rows):
    gone = uuid.uuid4()
    async with app.state.services.database.transaction() as session:
        audit.record(session, Action.GRANT_REVOKED, Subject.CLIENT, uuid.uuid4(), person=gone, client="x")

    page = await shown(office, q=str(gone))

    assert actions(page) == ["grant.revoked"]
    assert f'<span class="address">{gone}</span>' in page.text
    assert "the service itself" in page.text
    assert actions(await shown(office, q=str(uuid.uuid4()))) == []


async def test_an_action_of_a_newer_release_is_shown_by_its_name(office, app):
    await meddle(app.state.services.database, "UPDATE audit_events SET action = 'tea.poured'")

    assert "tea.poured" in actions(await shown(office))


async def test_how_far_the_chain_has_come(office, app, alice, clock):
    page = (await shown(office)).text
    assert "Sealed events: 0." in page
    assert re.search(r"Waiting to be sealed: \d+, since <time", page)
    assert "Check that a worker is running." not in page

    clock.forward(seconds=61)
    assert "Check that a worker is running." in (await shown(office)).text

    sealed = await seal(app)
    page = (await shown(office)).text
    assert f"Sealed events: {sealed}." in page
    assert "Waiting" not in page
    assert "Check that a worker is running." not in page


async def test_pages_follow_one_another(office, api, rita, rows):
    for number in range(27):
        await register(api, f"friend{number}")

    first = await shown(office, action="user.registered")
    onward = re.search(rf'href="({PATH}\?[^"]*cursor=[^"]+)"', first.text)[1].replace("&amp;", "&")
    second = await office.get(onward)

    assert len(actions(first)) == 25
    assert len(actions(second)) == 3
    assert "First page" in second.text
    for wrong in (onward + "x", onward.replace("user.registered", "code.issued"), f"{PATH}?cursor=x"):
        answer = await office.get(wrong, headers=HTML)
        assert answer.status_code == 400
        assert "user.registered" not in answer.text


async def test_it_says_the_same_as_the_api(office, rita, alice, bob):
    await make_code(alice)

    page = actions(await shown(office))
    listed = (await rita.get("/api/v1/admin/audit")).json()["items"]

    assert page == [event["action"] for event in listed]


async def test_it_verifies_nothing(office, app):
    """A look is cheap: what is broken shows by the command."""
    await seal(app)
    await meddle(app.state.services.database, 'UPDATE audit_events SET details = \'{"by":"me"}\'')
    assert (await shown(office)).status_code == 200


async def test_in_russian(office, alice):
    page = await office.get(PATH, headers={"Accept-Language": "ru"})

    assert "<h1>Журнал аудита</h1>" in page.text
    assert "Учётная запись создана" in page.text
    assert "Account created" not in page.text
