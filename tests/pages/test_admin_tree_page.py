"""/admin/users/{id}/tree: who brought whom, as a picture and as a list."""

import re
import uuid
from dataclasses import dataclass
from itertools import pairwise

import pytest

from goodword.admin.pages.referral_tree import LINE, build_tree, lay_out
from people import bring, join, make_code

pytestmark = pytest.mark.one_database


@dataclass
class Row:
    id: uuid.UUID
    level: int
    referrer_id: uuid.UUID | None = None
    referrals: int = 0
    referral_status: str = "confirmed"
    status: str = "active"


@pytest.fixture
async def family(api, alice):
    """Alice brought Bob and Carol, Bob brought Dave, Dave brought Erin."""
    await bring(alice, "carol")
    people = {"alice": alice}
    for referrer, name in (("alice", "bob"), ("bob", "dave"), ("dave", "erin")):
        code = await make_code(people[referrer], active=False)
        await people[referrer].post(f"/api/v1/me/referral-codes/{code['code']}/activate", {"replace": True})
        people[name] = await join(api, name, referral_code=code["code"])
    return people


def listed(page):
    names = page.text.partition('<ul class="tree-list">')[2].partition("</main>")[0]
    return re.findall(r'<a href="/admin/users/[^"/]+">(.*?)</a>', names)


def pictured(page):
    return {re.sub(r" · \d+$", "", name) for name in re.findall(r"<text [^>]*>(.*?)</text>", page.text)}


async def test_the_picture_and_the_list_say_the_same(browser, rita, family):
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{family['alice'].id}/tree")

    assert listed(page) == ["Alice Liddell", "Bob", "Dave", "Erin", "Carol"]
    assert pictured(page) == set(listed(page))
    assert page.text.count("<path ") == 4
    assert re.search(r'<svg [^>]*role="img" aria-labelledby="tree-title tree-text"', page.text)
    assert '<section class="scroll" aria-labelledby="tree-title" tabindex="0">' in page.text


async def test_as_deep_as_is_asked_for(browser, rita, family):
    await browser.sign_in(rita)
    tree = f"/admin/users/{family['bob'].id}/tree"

    page = await browser.get(f"{tree}?depth=1")
    assert listed(page) == ["Alice Liddell", "Bob", "Dave"]
    assert "1 more referrals of Dave" in page.text
    assert "more of Alice" not in page.text
    assert f'<a href="{tree}?depth=1" aria-current="page">1</a>' in page.text
    for odd in ("0", "6", "-1", "x", "", "1" * 1000, "１"):
        assert listed(await browser.get(tree, params={"depth": odd})) == listed(await browser.get(tree))


async def test_what_a_referral_is_worth_is_said(browser, rita, alice, api):
    await bring(alice, "bob")
    (referral,) = (await rita.get(f"/api/v1/users/{alice.id}/referrals")).json()["items"]
    await rita.post(f"/api/v1/admin/referrals/{referral['id']}/reject", {"reason": "x"})
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{alice.id}/tree")

    assert '<path class="rejected"' in page.text
    assert '<span class="note">rejected</span>' in page.text


async def test_who_is_alone(browser, rita):
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{rita.id}/tree")

    assert listed(page) == ["Rita"]
    assert "<path " not in page.text


def test_nobody_is_drawn_over_another():
    top = uuid.uuid4()
    rows = [Row(top, 0, referrals=40)]
    for level in (1, 2, 3):
        above = [row.id for row in rows if row.level == level - 1]
        rows += [Row(uuid.uuid4(), level, above[number % len(above)], number) for number in range(40)]

    picture = lay_out(build_tree(rows))

    places = [(dot.x, dot.y) for dot in picture.dots]
    assert len(set(places)) == len(rows)
    for x in {x for x, _ in places}:
        heights = sorted(y for at, y in places if at == x)
        assert all(lower - upper >= LINE for upper, lower in pairwise(heights))
    assert all(0 < dot.x < picture.width and 0 < dot.y < picture.height for dot in picture.dots)
    assert len(picture.lines) == len(rows) - 1


async def test_a_picture_has_so_many_people_and_the_list_all(browser, rita, alice, api, monkeypatch):
    monkeypatch.setattr("goodword.admin.pages.referral_tree.MAX_DRAWN", 3)
    await bring(alice, "bob", "carol", "dave")
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{alice.id}/tree")

    assert len(pictured(page)) == 3
    assert len(listed(page)) == 4
    assert "The picture shows the first 3 users" in page.text
