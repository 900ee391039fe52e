"""/admin/users/{id}: why the user was attributed to a referrer, or was not."""

import pytest

from attribution.histories import DAY, HOUR, History
from attribution.world import build
from goodword.admin.pages.users import REASONS
from goodword.attribution.reasons import Reason

pytestmark = pytest.mark.one_database


async def page_about(browser, rita, rows, **headers):
    [(user_id,)] = await rows("SELECT id FROM users WHERE external_id = 'person'")
    await browser.sign_in(rita)
    answer = await browser.get(f"/admin/users/{user_id}", headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


async def test_a_click_is_told(app, browser, rita, rows):
    await (await build(app, History(expected="alice", touches=[("alice", HOUR)]))).claim()

    page = await page_about(browser, rita, rows)

    assert "<dt>Attributed by</dt>" in page
    assert "a click on the link of the code" in page
    assert 'on a page of <span class="address">blog.example</span>' in page
    assert "Not attributed" not in page


async def test_a_refusal_is_told(app, browser, rita, rows):
    history = History(expected="already_registered", code="alice", existing={"signed_up": 2 * DAY})
    await (await build(app, history)).claim()

    page = await page_about(browser, rita, rows)

    assert "<dt>Not attributed</dt><dd>The user had signed up too long before." in page
    assert "Attributed by" not in page


async def test_a_refusal_is_told_in_russian(app, browser, rita, rows):
    history = History(expected="already_registered", code="alice", existing={"signed_up": 2 * DAY})
    await (await build(app, history)).claim()

    page = await page_about(browser, rita, rows, **{"Accept-Language": "ru"})

    assert "<dt>Не засчитано</dt><dd>Пользователь зарегистрировался слишком давно." in page


async def test_the_referrer_of_each_program_is_told(app, browser, rita, rows):
    existing = {"signed_up": HOUR, "referred_by": "dave"}
    made = await build(app, History(expected="alice", code="alice", existing=existing))
    await made.claim()

    page = await page_about(browser, rita, rows)

    for name, program in (("alice", "default"), ("dave", "other")):
        person = f'<a href="/admin/users/{made.owners[name].id}">{name.title()}</a>'
        assert f"Program: {program} · Referred by {person}" in page


def test_every_reason_has_a_text():
    assert set(REASONS) == set(Reason)
