# ruff: noqa: INP001, T201, S105, S310, S603  a single file to run, not a package; its people do not exist
"""Run the sign-up and referral flow from start to end, and print each e-mail as it arrives.

    .venv/bin/python examples/emails_story.py

It starts a mail server that prints its messages, a stand-in for Hunter, and Goodword on a temporary database. Nothing
leaves this machine. It needs the development dependencies: `make test` or `make lint` installs them.
"""

import email
import email.policy
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from socket import socket
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from aiosmtpd.controller import Controller

HERE = Path(__file__).parent
PASSWORD = "seven lanterns on the hill"


class Mailbox:
    """The messages of all users, in the order of arrival."""

    def __init__(self) -> None:
        self.messages: Queue[Any] = Queue()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.messages.put(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def next(self) -> str:
        """Print the next message and return its text."""
        message = self.messages.get(timeout=15)
        text: str = message.get_body(("plain",)).get_content()
        print(f"\n--- To: {message['To']}\n    Subject: {message['Subject']}\n")
        print("".join(f"    {line}\n" for line in text.splitlines()))
        return text


class Api:
    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(f"{self.url}/api/v1{path}", data, headers, method=method)) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            with error:
                return json.loads(error.read())

    def register(self, address: str, name: str, **more: str) -> Any:
        account = {"email": address, "password": PASSWORD, "first_name": name, **more}
        return self.call("POST", "/users", account)

    def verify(self, message: str) -> None:
        token = re.search(r"#token=(\S+)", message)
        assert token, "the message has a link"
        assert self.call("POST", "/email-verifications/confirm", {"token": token[1]}) is None

    def sign_in(self, address: str) -> str:
        answer = self.call("POST", "/sessions", {"email": address, "password": PASSWORD})
        token: str = answer["access_token"]
        return token


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(running: ExitStack, *command: object, **settings: object) -> None:
    environment = os.environ | {f"GOODWORD_{name}": str(value) for name, value in settings.items()}
    process = subprocess.Popen([*map(str, command)], env=environment, stderr=subprocess.DEVNULL)
    running.callback(process.wait)
    running.callback(process.terminate)


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urlopen(url).close()
        except HTTPError as error:
            error.close()
            return
        except URLError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)


def play(api: Api, mailbox: Mailbox) -> None:
    print("Alice signs up and follows the link in the verification message.")
    api.register("alice@example.com", "Alice", last_name="Liddell")
    api.verify(mailbox.next())
    mailbox.next()
    alice = api.sign_in("alice@example.com")

    print("She creates a code for one week and invites Bob.")
    code = api.call("POST", "/me/referral-codes", {"lifetime": 604800}, token=alice)["code"]
    api.call("POST", "/me/invitations", {"email": "bob@example.com"}, token=alice)
    assert code in mailbox.next()

    print("A sign-up with a mistyped address is refused, because Hunter reports that it does not exist.")
    refused = api.register("bob+invalid@example.com", "Bob", referral_code=code)
    print(f"    {refused['status']} {refused['code']}")

    print("Bob signs up with the code and verifies his address.")
    api.register("bob@example.com", "Bob", last_name="Builder", referral_code=code)
    api.verify(mailbox.next())

    print("The referral is confirmed. Bob is welcomed, and Alice is notified.")
    mailbox.next()
    mailbox.next()
    me = api.call("GET", "/me", token=alice)
    referrals = api.call("GET", f"/users/{me['id']}/referrals", token=alice)["items"]
    print(f"    {referrals[0]['referee']['display_name']}: {referrals[0]['status']}")
    print(f"    the profile that enrichment found, visible to Alice only: {me['profile']['title']}")


def main() -> None:
    smtp, hunter, port = free_port(), free_port(), free_port()
    url, mailbox = f"http://127.0.0.1:{port}", Mailbox()
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        mail_server = Controller(mailbox, hostname="127.0.0.1", port=smtp)
        mail_server.start()
        running.callback(mail_server.stop)
        start(running, sys.executable, HERE / "hunter_stand_in.py", hunter)
        wait_for(f"http://127.0.0.1:{hunter}/")
        start(
            running,
            Path(sys.executable).with_name("goodword"),
            *("serve", "--port", port),
            DATA_DIR=folder,
            PUBLIC_URL=url,
            SMTP_URL=f"smtp://127.0.0.1:{smtp}?tls=off",
            HUNTER_URL=f"http://127.0.0.1:{hunter}",
            HUNTER_API_KEY="anything",
            EMAIL_CHECK="blocking",
            ENRICHMENT="hunter",
        )
        wait_for(f"{url}/readyz")
        play(Api(url), mailbox)


if __name__ == "__main__":
    main()
