"""PAGES=off: the API, and what e-mails, the sign-in of apps, consent and the documentation need."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from asgi import Client
from people import make_code
from second_service import second_service
from sweeps import Sweep
from third_party import Browser

pytestmark = pytest.mark.one_database

OFF = ("/", "/people", "/account", "/code/qr.svg", "/admin", "/admin/people")
KEPT = (
    "/sign-in", "/sign-up", "/forgot-password", "/verify-email", "/reset-password", "/confirm-email",
    "/unsubscribe?token=x", "/docs", "/redoc", "/livez", "/api/v1/me",
)  # fmt: skip


@pytest.fixture
async def bare(alice, database_url, tmp_path) -> AsyncIterator[Client]:
    async with second_service(database_url, pages="off", data_dir=tmp_path) as api:
        yield api


async def test_pages_of_users_and_administrators_are_gone(bare, rita):
    browser = Browser(bare)
    await browser.sign_in(rita)

    with Sweep() as sweep:
        for path in OFF:
            with sweep.case(path):
                assert (await bare.get(path)).status_code == 404


async def test_what_emails_and_apps_need_stays(bare, alice):
    code = (await make_code(alice))["code"]
    with Sweep() as sweep:
        for path in (*KEPT, f"/r/{code}"):
            with sweep.case(path):
                answer = await bare.get(path)
                assert answer.status_code not in (404, 405, 500)
                for gone in ('href="/people"', 'href="/account"', 'href="/"'):
                    assert gone not in answer.text.partition("<main")[2]
        with sweep.case("/oauth/authorize"):
            answer = await bare.get("/oauth/authorize", params={"client_id": "nobody"})
            assert (answer.status_code, "html" in answer.headers["content-type"]) == (400, True)


@pytest.mark.parametrize("who", ["alice", "rita"])
async def test_the_home_page_leads_users_and_administrators_to_the_product(
    alice, rita, who, database_url, tmp_path
):
    settings: dict[str, Any] = {"pages": "off", "brand_name": "Acme", "brand_url": "https://acme.example"}
    async with second_service(database_url, data_dir=tmp_path, **settings) as api:
        signed_in = await Browser(api).sign_in_by_form({"alice": alice, "rita": rita}[who])
        home = await api.get(signed_in.headers["location"])

    assert (home.status_code, home.headers["location"]) == (303, "https://acme.example")
