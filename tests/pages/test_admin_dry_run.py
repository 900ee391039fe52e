"""The page that says what an event would earn, and why not."""

import re

import pytest

from pages.shops import friend_of
from rewards.conftest import SCOPES, Shop
from server_keys import make_key

pytestmark = pytest.mark.one_database

HERE = "/admin/programs/default/dry-run"
ORDER = {"type": "purchase", "amount": "49.90", "currency": "USD"}


@pytest.fixture
async def shop(app, api) -> Shop:
    return Shop(api, await make_key(app, SCOPES))


@pytest.fixture
async def office(browser, rita):
    await browser.sign_in(rita)
    return browser


async def ask(office, **query):
    answer = await office.client.get(HERE, params=query)
    found = re.search(
        r'<section class="card" aria-labelledby="result">(.*?)</section>', answer.text, re.DOTALL
    )
    text = re.sub(r"<[^>]+>", "", found[1]) if found else ""
    return answer, " ".join(text.split())


async def test_a_dry_run_names_rewards_and_reasons_and_writes_nothing(office, shop, alice, rows):
    await shop.rule(basis_points=1000, description="10 % of it")
    await shop.rule(kind="points", beneficiary="referee", amount_minor=50, hold=86_400, description="Welcome")
    await shop.rule(min_amount_minor=5000, description="Large orders")
    bob = await friend_of(alice)

    for participant in (bob["id"], "bob@example.com"):
        _, text = await ask(office, participant=participant, **ORDER)

        assert text.startswith("It would earn:")
        assert "$4.99 · the referrer · 10 % of it · approved" in text
        assert "50 points · the referred person · Welcome · pending · Available from: " in text
        assert "Large orders: The amount is smaller than the rule requires." in text
    assert await rows("SELECT count(*) FROM events WHERE type = 'purchase'") == [(0,)]
    assert await rows("SELECT count(*) FROM rewards") == [(0,)]


async def test_a_participant_is_found_by_the_id_in_the_product(office, shop):
    await shop.rule(max_events=1, description="First order")
    await shop.pair()

    assert "$5.00" in (await ask(office, participant="bob", **ORDER))[1]
    await shop.event("order-1")
    _, text = await ask(office, participant="bob", **ORDER)
    assert text == (
        "It would earn nothing. Rules that would make no reward "
        "First order: The person had as many events of this type as the rule counts."
    )
    assert "was not referred" in (await ask(office, participant="alice", **ORDER))[1]
    assert "No active rule" in (await ask(office, participant="bob", **ORDER | {"type": "renewal"}))[1]


@pytest.mark.parametrize(
    ("query", "beside", "said"),
    [
        ({"participant": "nobody"}, "participant", "There is no such person."),
        ({"participant": "a\0b"}, "participant", "Control characters"),
        ({"participant": ""}, "participant", "Please fill this in."),
        ({"type": "sign_up"}, "type", "records events of this type itself"),
        ({"type": "Größe"}, "type", "Use a–z"),
        ({"type": ""}, "type", "Please fill this in."),
        ({"amount": "4.999"}, "amount", "no more decimals"),
        ({"amount": "9" * 15}, "amount", "too large"),
        ({"currency": "XXQ"}, "currency", "Enter a currency code"),
    ],
)
async def test_what_is_wrong_is_shown_beside_the_field(office, rita, query, beside, said):
    answer, text = await ask(office, **{"participant": rita.id} | ORDER | query)

    assert (answer.status_code, text) == (422, "")
    ((name, found),) = re.findall(r'<p class="wrong" id="(\w+)-error">([^<]*)</p>', answer.text)
    assert name == beside
    assert said in found


async def test_the_page_of_the_rules_has_the_form(office):
    page = (await office.get("/admin/programs/default/rules")).text

    assert f'action="{HERE}"' in page
    assert 'value="USD"' in page


async def test_reasons_are_in_russian(office, shop):
    await shop.rule(description="First order")
    await shop.report("alice")

    answer = await office.client.get(
        HERE, params={"participant": "alice", **ORDER}, headers={"accept-language": "ru"}
    )

    assert "Этого человека никто не приглашал в программу." in answer.text
