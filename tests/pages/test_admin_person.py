"""/admin/users/{id}: what is known of an address, and a referral that is rejected."""

import pytest

from pages.pressing import press
from people import PASSWORD, join, make_code, referrals_of

pytestmark = pytest.mark.one_database

REASON = "The same person twice."


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


async def brought(owner, name="carol"):
    """Somebody who joined by a code of theirs, and the page about them."""
    friend = await join(owner.api, name, referral_code=(await make_code(owner))["code"])
    return friend, f"/admin/users/{friend.id}"


async def test_an_address_that_nobody_was_asked_about_is_told_so(office, alice):
    page = (await office.get(f"/admin/users/{alice.id}")).text

    assert "not confirmed yet, delivery unknown</span>" in page


async def test_an_address_that_looks_like_another_is_marked_with_whose(office, api, alice):
    answer = await api.post("/api/v1/users", json={"email": "аlice@example.com", "password": PASSWORD})

    page = (await office.get(f"/admin/users/{answer.json()['id']}")).text

    warning = page.partition("This address looks like the address of")[2]
    assert warning.lstrip().startswith(f'<a href="/admin/users/{alice.id}">Alice Liddell</a>')
    assert "Its letters look like" not in (await office.get(f"/admin/users/{alice.id}")).text


async def test_a_referral_is_rejected_with_its_reason(office, alice, rows):
    _, here = await brought(alice)
    assert "Reject the referral" in (await office.get(here)).text

    answer = await press(office, here, f"{here}/reject", reason=REASON)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}?done=rejected")
    page = (await office.get(f"{here}?done=rejected")).text
    assert "Referral rejected." in page
    assert f"rejected: {REASON}" in page
    assert "Reject the referral" not in page
    assert [one["status"] for one in await referrals_of(alice)] == ["rejected"]


async def test_pressed_twice_the_first_reason_stays(office, alice, rows):
    _, here = await brought(alice)

    for reason in (REASON, "Another one."):
        answer = await press(office, here, f"{here}/reject", reason=reason)
        assert answer.status_code == 303
    assert await rows("SELECT status, reason FROM referrals") == [("rejected", REASON)]
    assert await rows("SELECT count(*) FROM audit_events WHERE action = 'referral.rejected'") == [(1,)]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("", "Please fill this in."),
        ("x" * 101, "This is too long."),
        ("a\x00b", "Control characters are not allowed here."),
        ("\N{ZERO WIDTH SPACE}", ""),
    ],
)
async def test_a_reason_that_is_none_changes_nothing(office, alice, rows, reason, said):
    _, here = await brought(alice)

    answer = await press(office, here, f"{here}/reject", reason=reason)

    assert answer.status_code == 200
    assert 'id="reason-error"' in answer.text
    assert said in answer.text
    assert "<details open>" in answer.text
    assert await rows("SELECT count(*) FROM referrals WHERE status = 'rejected'") == [(0,)]


async def test_a_reason_is_text(office, alice):
    _, here = await brought(alice)

    await press(office, here, f"{here}/reject", reason="<b>Twice</b>")

    page = (await office.get(here)).text
    assert "&lt;b&gt;Twice" in page
    assert "<b>" not in page


async def test_who_came_alone_has_no_referral(office, alice):
    here = f"/admin/users/{alice.id}"

    assert "Reject the referral" not in (await office.get(here)).text
    assert (await press(office, here, f"{here}/reject", reason=REASON)).status_code == 404


async def test_neither_of_them_sees_why(office, api, alice):
    carol, here = await brought(alice)
    await press(office, here, f"{here}/reject", reason=REASON)

    for person, path in ((alice, f"/api/v1/users/{alice.id}/referrals"), (carol, "/api/v1/me")):
        assert REASON not in (await person.get(path)).text
