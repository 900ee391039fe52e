"""The rewards of a person in <goodword-referral>, in a page of another origin."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from browser.conftest import Api
from browser.other_sites import Site, other_site, visitors
from browser.test_embed import EMBED, FOLLOWS_SYSTEM, NARROW, element, look_over
from serving import Served, goodword, serving

SCOPES = "participants:write events:write rewards:write programs:write"
RULES = "/api/v1/programs/default/reward-rules"
CREDIT = {"trigger": "purchase", "beneficiary": "referrer", "kind": "credit"}


@pytest.fixture(scope="module")
def acme() -> Iterator[Site]:
    with other_site() as site:
        yield site


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, acme) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), EMBED_ORIGINS=acme.origin) as running:
        acme.home = running.url
        yield running


@pytest.fixture
def visit(browser, served, acme):
    with visitors(browser, served.url, acme.origin) as visit:
        yield visit


@pytest.fixture(scope="module")
def tokens(served) -> dict[str, str]:
    """Return the embed tokens of Alice, whose friend has bought something, and of this friend.

    The program has a currency for which browsers do not know the decimals of ISO 4217.
    """
    api = Api(served)
    key = goodword(served.log.parent, "api-key", "create", "--name", "acme", "--scope", SCOPES).stdout.strip()
    api.post("/api/v1/programs/default", {"currency": "IQD"}, key, "PATCH")
    api.post(RULES, CREDIT | {"amount_minor": 1250, "hold": 1_209_600, "description": "<b>For Bob</b>"}, key)
    api.post(RULES, CREDIT | {"amount_minor": 3000, "description": "Thank you"}, key)
    api.post(RULES, CREDIT | {"kind": "points", "amount_minor": 2, "beneficiary": "referee"}, key)
    code = api.post("/api/v1/participants/alice", {"first_name": "Alice"}, key, "PUT")["code"]["code"]
    api.post("/api/v1/participants/bob", {"referral_code": code}, key, "PUT")
    order = {"id": "1", "type": "purchase", "participant": {"external_id": "bob"}}
    api.post("/api/v1/events", order | {"occurred_at": datetime.now(UTC).isoformat()}, key)
    paths = {name: f"/api/v1/participants/{name}/tokens" for name in ("alice", "bob")}
    return {name: api.post(path, {}, key)["access_token"] for name, path in paths.items()}


@pytest.mark.parametrize(
    ("scheme", "language", "title", "balance", "waits"),
    [
        ("light", "en", "Your rewards", "IQD 3.000 available · IQD 1.250 pending", "pending until"),
        (
            "dark",
            "ru",
            "Ваши вознаграждения",
            "3,000 IQD доступно · 1,250 IQD ожидает подтверждения",
            "в ожидании до",
        ),
    ],
)
def test_a_person_sees_balance_and_latest_rewards(
    visit, acme, tokens, scheme, language, title, balance, waits
):
    page = visit(color_scheme=scheme, viewport=NARROW, reduced_motion="reduce")
    page.goto(acme.put("/", element(tokens["alice"]), script=EMBED, head=FOLLOWS_SYSTEM, lang=language))

    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("goodword-referral .balances li")).to_have_text([balance])
    latest = page.locator("goodword-referral .rewards li")
    expect(latest).to_have_count(2)
    pending = latest.filter(has_text="<b>For Bob</b>")
    expect(pending).to_contain_text(re.compile(rf"{waits} .*20\d\d"))
    look_over(page)


def test_points_have_plurals_and_no_currency(visit, acme, tokens):
    page = visit()
    page.goto(acme.put("/", element(tokens["bob"], lang="ru"), script=EMBED))

    expect(page.locator("goodword-referral .balances li")).to_have_text(["2 балла доступно"])
    expect(page.locator("goodword-referral .rewards li")).to_have_count(1)


def test_without_rewards_nothing_is_shown_or_asked_of_them(visit, acme, served):
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(acme.put("/", element(Api(served).join("Nora")), script=EMBED))

    expect(page.get_by_text("You have no referral link at the moment.")).to_be_visible()
    expect(page.get_by_role("heading", name="Your rewards")).to_have_count(0)
    assert [url.rpartition("/")[2] for url in asked if "reward" in url] == ["reward-balances"]
