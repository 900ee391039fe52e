"""/admin/users/{id}/tree: who brought whom, as a picture and as a list."""

import re

import pytest

from goodword.admin.pages import referral_tree
from people import bring, join, make_code

pytestmark = pytest.mark.one_database


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
    """Names in the order of the page: the referrer, the person, and the branches."""
    tree = page.text.partition('<div class="tree">')[2].partition("</main>")[0]
    return re.findall(r'<a href="/admin/users/[^"/]+(?:/tree)?">(.*?)</a>', tree)


async def test_the_person_is_in_the_middle_and_branches_fold(browser, rita, family):
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{family['alice'].id}/tree")
    assert listed(page) == ["Alice Liddell", "Bob", "Dave", "Erin", "Carol"]
    folds = re.findall(r'<details open>\s*<summary>(.*?)<span class="unseen"> (.*?)</span>', page.text)
    assert folds == [("Referrals: 1", "Bob"), ("Referrals: 1", "Dave")]

    page = await browser.get(f"/admin/users/{family['bob'].id}/tree")
    assert listed(page) == ["Alice Liddell", "Bob", "Dave", "Erin"]
    [chosen] = re.findall(r'<p class="node chosen"><strong><a [^>]*>(.*?)</a>', page.text)
    assert chosen == "Bob"


async def test_as_deep_as_is_asked_for(browser, rita, family):
    await browser.sign_in(rita)
    tree = f"/admin/users/{family['bob'].id}/tree"

    page = await browser.get(f"{tree}?depth=1")
    assert listed(page) == ["Alice Liddell", "Bob", "Dave"]
    onward = f'<a class="note" href="/admin/users/{family["dave"].id}/tree">Referrals: 1'
    assert onward in page.text
    assert f'<a href="{tree}?depth=1" aria-current="page">1</a>' in page.text
    for odd in ("0", "6", "-1", "x", "", "1" * 1000, "１"):
        assert listed(await browser.get(tree, params={"depth": odd})) == listed(await browser.get(tree))


async def test_what_a_referral_is_worth_is_said(browser, rita, alice, api):
    await bring(alice, "bob")
    (referral,) = (await rita.get(f"/api/v1/users/{alice.id}/referrals")).json()["items"]
    await rita.post(f"/api/v1/admin/referrals/{referral['id']}/reject", {"reason": "x"})
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{alice.id}/tree")

    assert '<li class="rejected">' in page.text
    assert '<span class="note">rejected</span>' in page.text


async def test_who_is_alone(browser, rita):
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{rita.id}/tree")

    assert listed(page) == ["Rita"]
    assert "No one has joined with this person’s code yet." in page.text


async def test_a_large_tree_is_folded_and_leads_on(browser, rita, alice, monkeypatch):
    monkeypatch.setattr(referral_tree, "MAX_SHOWN", 3)
    monkeypatch.setattr(referral_tree, "MAX_OPEN", 2)
    await bring(alice, "bob", "carol", "dave")
    await browser.sign_in(rita)

    page = await browser.get(f"/admin/users/{alice.id}/tree")

    assert listed(page) == ["Alice Liddell", "Dave", "Carol"]
    assert "Not shown: 1" in page.text
    assert f'href="/admin/referrals?q={alice.id}"' in page.text
    assert "<details open>" not in page.text
