"""The story of examples/acme: a product whose users refer friends, and a Goodword that is away for a while."""

import json
import re
import sqlite3
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx2
import pytest

from acme import LOOPBACK, acme, create_endpoint, create_key
from people import PASSWORD
from serving import free_port, serving, wait_until
from third_party import Form
from webhooks.example_receivers import KEY, send

A_BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@dataclass
class Visitor:
    """A person with a browser at Acme."""

    browser: httpx2.Client
    home: str

    def open(self, url: str) -> httpx2.Response:
        return self.browser.get(urljoin(self.home, url))

    def send(self, page: httpx2.Response, **fields: str) -> httpx2.Response:
        """Fill in the form of a page."""
        form = Form(page.text)
        return self.browser.post(urljoin(self.home, form.action), data=form.fields | fields)

    def join(self, name: str, page: str = "/join") -> httpx2.Response:
        first_name = name.split(maxsplit=1)[0]
        return self.send(
            self.open(page), name=name, email=f"{first_name.lower()}@acme.example", password=PASSWORD
        )

    def token(self) -> str:
        return re.search(r'<goodword-referral token="([^"]+)"', self.open("/refer").text)[1]


@pytest.fixture
def visitors():
    """Return browsers, each of another person."""
    opened = []

    def visit(home: str) -> Visitor:
        opened.append(httpx2.Client(follow_redirects=True, headers=A_BROWSER))
        return Visitor(opened[-1], home)

    yield visit
    for browser in opened:
        browser.close()


def as_embed(url: str, token: str, path: str):
    answer = httpx2.get(f"{url}/api/v1/me/{path}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def link_of(url: str, visitor: Visitor) -> str:
    """Return the link that the embed shows to a user."""
    [code] = as_embed(url, visitor.token(), "referral-codes")
    return code["link"]


def test_a_friend_of_alice_becomes_a_user_of_acme(tmp_path, visitors):
    port = free_port()
    with serving(tmp_path) as served, acme(tmp_path, served.url, create_key(tmp_path), port) as home:
        alice, bob = visitors(home), visitors(home)
        assert "Welcome, Alice Liddell" in alice.join("Alice Liddell").text
        link = link_of(served.url, alice)

        followed = httpx2.get(link, headers=A_BROWSER)
        assert followed.status_code == 302
        page = followed.headers["Location"]
        assert re.fullmatch(rf"{home}/join\?ref=\w+&touch=[0-9a-f-]{{36}}", page)
        assert "Alice L. invited you" in bob.join("Bob", page).text

        [referral] = as_embed(served.url, alice.token(), "referrals")
        assert referral["referee"] == {"display_name": "Bob", "email_masked": "b***@acme.example"}
        assert (referral["status"], link.endswith(referral["code"])) == ("confirmed", True)

        bob.browser.post(f"{home}/delete-account")
        [referral] = as_embed(served.url, alice.token(), "referrals")
        assert "Bob" not in str(referral)


def test_a_click_counts_for_a_friend_who_comes_back_without_the_code(tmp_path, visitors):
    port = free_port()
    with serving(tmp_path) as served, acme(tmp_path, served.url, create_key(tmp_path), port) as home:
        alice, bob = visitors(home), visitors(home)
        alice.join("Alice Liddell")
        followed = httpx2.get(link_of(served.url, alice), headers=A_BROWSER)
        touch = followed.headers["Location"].partition("touch=")[2]

        assert "Alice L. invited you" in bob.join("Bob", f"/join?touch={touch}").text


def test_a_friend_with_a_code_that_has_ended_becomes_a_user_all_the_same(tmp_path, visitors):
    port = free_port()
    with serving(tmp_path) as served:
        key = create_key(tmp_path)
        with acme(tmp_path, served.url, key, port) as home:
            alice, bob = visitors(home), visitors(home)
            alice.join("Alice Liddell")
            page = httpx2.get(link_of(served.url, alice), headers=A_BROWSER).headers["Location"]
            answer = httpx2.patch(
                f"{served.url}/api/v1/programs/default",
                json={"status": "ended"},
                headers={"Authorization": f"Bearer {key}"},
            )
            assert answer.status_code == 200, answer.text

            welcome = bob.join("Bob", page.partition("&touch")[0]).text
            assert "Welcome, Bob" in welcome
            assert "Your code was not accepted: program_not_active" in welcome


def test_acme_works_while_goodword_is_away_and_reports_when_it_is_back(tmp_path, visitors):
    port, port_of_goodword = free_port(), free_port()
    arguments = ("--port", str(port_of_goodword))
    with serving(tmp_path, *arguments) as served:
        key = create_key(tmp_path)
        url = served.url
        with acme(tmp_path, url, key, port) as home:
            alice, bob = visitors(home), visitors(home)
            alice.join("Alice Liddell")
            page = httpx2.get(link_of(url, alice), headers=A_BROWSER).headers["Location"]
            served.stop()

            welcome = bob.join("Bob", page).text
            assert "Welcome, Bob" in welcome
            assert "invited you" not in welcome
            assert alice.open("/refer").status_code == 503

            with serving(tmp_path, *arguments):
                wait_until(lambda: "Alice L. invited you" in bob.open("/").text)
                [referral] = as_embed(url, alice.token(), "referrals")
                assert referral["referee"]["display_name"] == "Bob"


def return_anvil(visitor: Visitor) -> str:
    action = re.search(r'action="(/orders/[^"]+/return)"', visitor.open("/").text)[1]
    return visitor.browser.post(urljoin(visitor.home, action)).text


def test_alice_is_credited_for_an_order_of_bob_until_he_returns_it(tmp_path, visitors):
    port = free_port()
    with serving(tmp_path, **LOOPBACK) as served:
        key, secret = create_key(tmp_path), create_endpoint(tmp_path, port)
        with acme(tmp_path, served.url, key, port, secret=secret) as home:
            alice, bob = visitors(home), visitors(home)
            alice.join("Alice Liddell")
            bob.join("Bob", httpx2.get(link_of(served.url, alice), headers=A_BROWSER).headers["Location"])

            assert "An anvil" in bob.browser.post(f"{home}/orders").text
            wait_until(lambda: "Your credit: $4.99" in alice.open("/").text)
            wait_until(lambda: paid(served.url, alice) == ("fulfilled", 499))

            assert "An anvil, returned" in return_anvil(bob)
            wait_until(lambda: "Your credit" not in alice.open("/").text)
            assert paid(served.url, alice) == ("reversed", 0)


def paid(url: str, visitor: Visitor):
    [reward] = as_embed(url, visitor.token(), "rewards")
    return reward["status"], reward["remaining_minor"]


def test_a_webhook_that_comes_again_or_late_is_credited_once(tmp_path, visitors):
    port, away = free_port(), f"http://127.0.0.1:{free_port()}"
    with acme(tmp_path, away, "no key", port, secret=KEY) as home:
        alice = visitors(home)
        alice.join("Alice Liddell")
        with sqlite3.connect(tmp_path / "acme.sqlite3") as database:
            ((user_id,),) = database.execute("SELECT id FROM users")

        def webhook(kind: str, sequence: int, remaining: int, **signed) -> int:
            participant = {"external_id": user_id}
            data = {"id": "r", "status": kind, "remaining_minor": remaining, "participant": participant}
            body = {"type": f"reward.{kind}", "sequence": sequence, "data": data}
            return send(f"{home}/webhooks", json.dumps(body), **signed)

        assert webhook("approved", 2, 499, key="whsec_" + 43 * "A" + "=") == 400
        assert "Your credit" not in alice.open("/").text
        assert [webhook("approved", 2, 499, webhook_id="one") for _ in range(2)] == [204, 204]
        assert "Your credit: $4.99" in alice.open("/").text
        assert webhook("canceled", 3, 0) == 204
        assert webhook("approved", 2, 499, webhook_id="one") == 204
        assert "Your credit" not in alice.open("/").text
        assert send(f"{home}/webhooks", json.dumps({"type": "webhook.test", "data": {}})) == 204
