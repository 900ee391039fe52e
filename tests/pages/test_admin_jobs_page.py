"""/admin/jobs: what waits, what was given up and why, and trying it again."""

import re

import pytest
from sqlalchemy import update

from goodword.jobs.models import Job
from pages.pressing import press
from people import register

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
PATH, AGAIN = "/admin/jobs", "/admin/jobs/retry"


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


@pytest.fixture
def given_up(app):
    """Let jobs of a kind be dead, and what they hold be secret."""

    async def make(kind, number=1):
        now = app.state.services.clock()
        jobs = [
            Job(kind=kind, payload='{"email_key":"secret@example.com"}', created_at=now, run_at=now, attempts=10,
                finished_at=now, outcome="dead", error="the mail server refused it for good (550)")
            for _ in range(number)
        ]  # fmt: skip
        async with app.state.services.database.transaction() as session:
            session.add_all(jobs)
        return [str(job.id) for job in jobs]

    return make


def counts(page):
    """Waiting, running and given up, by kind."""
    rows = re.findall(r">([\w-]+)</td>\s*" + r"<td[^>]*>(?:<[^>]*>)?(\d+).*?" * 3, page.text, re.DOTALL)
    return {kind: tuple(map(int, numbers)) for kind, *numbers in rows}


async def test_what_waits_runs_and_is_dead_is_counted(office, app, api, given_up):
    await register(api, "bob")
    await given_up("notice", 2)

    page = await office.get(PATH)
    found = counts(page)
    assert found["notice"][2] == 2
    assert found["verify_email"][0] >= 1
    assert "The next job has been due since" in page.text

    async with app.state.services.database.transaction() as session:
        until = app.state.services.clock().replace(year=2100)
        await session.execute(update(Job).where(Job.finished_at.is_(None)).values(leased_until=until))
    page = await office.get(PATH)
    assert counts(page)["verify_email"][:2] == (0, found["verify_email"][0])
    assert "The next job has been due since" not in page.text


async def test_a_dead_letter_says_why_and_not_what(office, given_up):
    await given_up("notice")

    page = await office.get(PATH)

    assert "the mail server refused it for good (550)" in page.text
    assert "e-mail" in page.text
    assert "secret" not in page.text


async def test_one_is_tried_again(office, given_up, rows):
    first, _ = await given_up("notice", 2)

    answer = await press(office, PATH, AGAIN, of=first, kind="")
    assert answer.headers["location"] == f"{PATH}?done=again"
    assert "The job will run again." in (await office.get(f"{PATH}?done=again")).text
    again = await press(office, PATH, AGAIN, of=first, kind="")
    assert again.headers["location"] == f"{PATH}?done=nothing"
    alive = "SELECT attempts, error FROM jobs WHERE kind = 'notice' AND outcome IS NULL"
    assert await rows(alive) == [(0, None)]


async def test_all_of_a_kind_are_tried_again(office, given_up, rows):
    await given_up("notice", 3)
    await given_up("check_email")

    answer = await press(office, PATH, AGAIN, kind="notice")
    assert answer.headers["location"] == f"{PATH}?done=again"
    assert await rows("SELECT kind FROM jobs WHERE outcome = 'dead'") == [("check_email",)]


@pytest.mark.parametrize("of", ["", "nonsense", "\x00", "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"])
async def test_what_is_no_dead_job_is_not_tried(office, given_up, of, rows):
    await given_up("notice")

    answer = await press(office, PATH, AGAIN, of=of, kind="")

    assert answer.headers["location"] == f"{PATH}?done=nothing"
    assert (await press(office, PATH, AGAIN, kind=of)).status_code == 303
    assert await rows("SELECT count(*) FROM jobs WHERE outcome = 'dead'") == [(1,)]


async def test_pages_follow_one_another(office, given_up):
    await given_up("notice", 26)

    first = await office.get(PATH)
    onward = re.search(rf'href="({PATH}\?cursor=[^"]+)"', first.text)[1]
    second = await office.get(onward)

    assert first.text.count(">Retry<span") == 25
    assert second.text.count(">Retry<span") == 1
    answer = await office.get(onward + "A", headers=HTML)
    assert answer.status_code == 400
    assert "notice" not in answer.text
