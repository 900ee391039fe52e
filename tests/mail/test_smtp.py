"""Delivery to a mail server, and its failures."""

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from asgi import SECRET, client_of, running, settings_for
from goodword.app import create_app
from goodword.composition import build_worker
from goodword.handlers import HANDLERS
from goodword.jobs import service as jobs
from goodword.jobs.worker import Worker
from mail_server import mail_server, password_of, self_made_certificate
from people import register
from preloaded import Process
from serving import environment, free_port

pytestmark = pytest.mark.one_database

STATE = "SELECT outcome, attempts, error FROM jobs WHERE kind = 'verify_email'"


@pytest.fixture
def service(app, database_url, clock, tmp_path):
    """Yield a client and the worker of a service that sends messages to this URL."""

    @asynccontextmanager
    async def start(url, **settings):
        chosen = settings_for(database_url, smtp_url=SecretStr(url), data_dir=tmp_path, **settings)
        async with running(create_app(chosen, clock=clock)) as made, client_of(made) as api:
            yield api, build_worker(made.state.services)

    return start


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_made_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))


def start_worker(folder, settings):
    env = environment(folder, **settings)
    return Process(["worker"], cwd=folder, env=env, stdout=sys.__stdout__, stderr=sys.__stderr__)


async def send_one(service, url, **settings):
    """Register Alice, and run the job that sends her message."""
    async with service(url, **settings) as (api, worker):
        await register(api, "alice")
        await worker.run_due()


async def test_a_message_is_delivered_over_starttls(service, certificate, trusted, rows, tmp_path):
    options: dict[str, Any] = {"authenticator": password_of("goodword", "p@ss:word"), "auth_required": True}
    with mail_server(tls=certificate[0], require_starttls=True, **options) as server:
        url = f"smtp://goodword:p%40ss%3Aword@127.0.0.1:{server.port}"
        await send_one(service, url, mail_from='"Acme, Ltd" <hello@acme.example>')

    (message,) = server.letters
    assert message.encrypted
    assert (message.sender, message.recipients) == ("hello@acme.example", ["alice@example.com"])
    assert message.message["From"].addresses[0].display_name == "Acme, Ltd"
    assert "/verify-email#token=gwv_" in message.message.get_body(("plain",)).get_content()
    assert await rows(STATE) == [("done", 1, None)]
    assert not list(tmp_path.rglob("*.eml"))


async def test_a_message_is_delivered_over_implicit_tls(service, certificate, trusted):
    with mail_server(tls=certificate[0], implicit=True) as server:
        await send_one(service, f"smtps://127.0.0.1:{server.port}")

    assert [message.encrypted for message in server.letters] == [True]


async def test_a_message_is_delivered_without_tls_if_configured(service):
    with mail_server() as server:
        await send_one(service, f"smtp://127.0.0.1:{server.port}?tls=off")

    assert server.to == ["alice@example.com"]
    assert server.letters[0].sender == "no-reply@localhost"


@pytest.mark.parametrize("login", ["", "user:word@"])
async def test_nothing_is_sent_without_starttls(service, rows, login):
    """The offer can be stripped by whoever sits in between."""
    with mail_server() as server:
        await send_one(service, f"smtp://{login}127.0.0.1:{server.port}")

    assert server.commands == []
    ((outcome, attempts, error),) = await rows(STATE)
    assert (outcome, attempts) == (None, 1)
    assert "alice" not in error


async def test_nothing_is_sent_to_a_server_with_an_invalid_certificate(service, certificate, rows):
    with mail_server(tls=certificate[0]) as server:
        await send_one(service, f"smtp://127.0.0.1:{server.port}")

    assert server.commands == []
    assert (await rows(STATE))[0][:2] == (None, 1)


@pytest.mark.parametrize(
    "trouble", [{"on_recipient": "451 4.7.1 greylisted"}, {"on_data": "452 full"}, {"on_data": "drop"}]
)
async def test_a_temporary_failure_is_retried_with_the_same_message(service, clock, rows, trouble):
    with mail_server() as server:
        for name, answer in trouble.items():
            setattr(server, name, answer)
        async with service(f"smtp://127.0.0.1:{server.port}?tls=off") as (api, worker):
            await register(api, "alice")
            await worker.run_due()
            assert (await rows(STATE))[0][:2] == (None, 1)
            assert server.letters == []

            server.on_recipient = server.on_data = None
            clock.forward(minutes=1)
            await worker.run_due()

    assert server.to == ["alice@example.com"]
    assert await rows(STATE) == [("done", 2, None)]


async def test_a_server_that_hangs_times_out(service, rows, monkeypatch):
    monkeypatch.setattr("goodword.mail.delivery.TIMEOUT", 0.5)
    with mail_server() as server:
        server.on_data = "hang"
        began = time.monotonic()
        await send_one(service, f"smtp://127.0.0.1:{server.port}?tls=off")

        assert time.monotonic() - began < 10
    assert (await rows(STATE))[0][:2] == (None, 1)


async def test_an_unreachable_server_is_retried(service, rows):
    await send_one(service, f"smtp://127.0.0.1:{free_port()}?tls=off")

    assert (await rows(STATE))[0][:2] == (None, 1)


async def test_a_wrong_smtp_password_is_retried(service, certificate, trusted, rows):
    options: dict[str, Any] = {"authenticator": password_of("goodword", "right"), "auth_required": True}
    with mail_server(tls=certificate[0], **options) as server:
        await send_one(service, f"smtp://goodword:wrong@127.0.0.1:{server.port}")

    assert (await rows(STATE))[0][:2] == (None, 1)


@pytest.mark.parametrize(
    "trouble", [{"on_recipient": "550 5.1.1 <alice@example.com> unknown"}, {"on_data": "554 5.7.1 spam"}]
)
async def test_a_permanent_failure_is_not_retried(service, rows, trouble):
    with mail_server() as server:
        for name, answer in trouble.items():
            setattr(server, name, answer)
        await send_one(service, f"smtp://127.0.0.1:{server.port}?tls=off")

    ((outcome, attempts, error),) = await rows(STATE)
    assert (outcome, attempts) == ("dead", 1)
    assert error.startswith("the mail server rejected it permanently (55")
    assert "alice" not in error


async def test_an_international_domain_needs_no_smtputf8(service):
    with mail_server() as server:
        async with service(f"smtp://127.0.0.1:{server.port}?tls=off") as (api, worker):
            await register(api, "anna", email="anna@bücher.example")
            await worker.run_due()

    assert server.to == ["anna@xn--bcher-kva.example"]
    assert server.letters[0].message["To"] == "anna@xn--bcher-kva.example"


@pytest.mark.parametrize("capable", [True, False])
async def test_an_international_mailbox_needs_smtputf8(service, rows, capable):
    with mail_server(enable_SMTPUTF8=capable) as server:
        async with service(f"smtp://127.0.0.1:{server.port}?tls=off") as (api, worker):
            await register(api, "anna", email="änna@example.com")
            await worker.run_due()

    assert server.to == (["änna@example.com"] if capable else [])
    assert (await rows(STATE))[0][0] == ("done" if capable else "dead")


@pytest.mark.parametrize(
    "address",
    ["a@example.com\r\nBcc: z@example.com", "a@example.com\nRCPT TO:<z@example.com>", "a@x.com>\r\n"],
)
async def test_line_breaks_in_an_address_add_no_recipient(service, address):
    with mail_server() as server:
        async with service(f"smtp://127.0.0.1:{server.port}?tls=off") as (api, worker):
            assert (await register(api, "alice", email=address)).status_code == 422
            body = {"referrer_email": "alice@example.com", "email": address}
            answer = await api.post("/api/v1/referral-code-emails", json=body)
            assert answer.status_code == 422
            await worker.run_due()

    assert server.commands == []


async def test_a_worker_killed_after_sending_sends_the_same_message_again(
    service, database_url, clock, rows, tmp_path
):
    """Between the server's yes and the row that says so there is nothing to lose but a second copy."""
    with mail_server() as server:
        url = f"smtp://127.0.0.1:{server.port}?tls=off"
        async with service(url) as (api, worker):
            await register(api, "alice")
            given = {"DATABASE_URL": database_url, "SMTP_URL": url, "SECRET_KEY": SECRET}
            process = start_worker(tmp_path, given)
            server.on_data = lambda: os.kill(process.pid, signal.SIGKILL)
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
            assert (await rows(STATE))[0][:2] == (None, 1)

            server.on_data = None
            clock.forward(seconds=61)
            await worker.run_due()

    assert len(server.letters) == 2
    assert len(set(server.message_ids)) == 1
    assert await rows(STATE) == [("done", 2, None)]


async def test_a_slow_mail_server_does_not_delay_other_jobs(service, clock):
    """Letters hang, as many as there is room for; what else is to be done is done beside them."""
    done = asyncio.Event()

    async def greet(_services, _work):
        done.set()

    with mail_server() as server:
        server.on_data = "hang"
        async with service(f"smtp://127.0.0.1:{server.port}?tls=off") as (api, _):
            for name in ("alice", "bob", "carol", "dave"):
                await register(api, name)
            services = api._transport.app.state.services
            async with services.database.transaction() as session:
                jobs.enqueue(session, "greet", {}, now=clock())
            async with Worker(services, {**HANDLERS, "greet": greet}, concurrency=3).running():
                async with asyncio.timeout(10):
                    await done.wait()


@pytest.fixture(autouse=True)
def little_grace(monkeypatch):
    monkeypatch.setattr("goodword.jobs.worker.GRACE_SECONDS", 0.2)
