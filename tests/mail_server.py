"""A mail server for the tests, real SMTP in a thread of its own, that can be told how to misbehave."""

import asyncio
import email
import email.policy
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serving import free_port


@dataclass
class Received:
    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool


@dataclass
class MailServer:
    """What arrived, and what the next answers are: a status line, or something to do in place of one."""

    port: int
    letters: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    on_sender: str | None = None
    on_recipient: str | None = None
    on_data: str | Callable[[], Any] | None = None

    @property
    def to(self) -> list[str]:
        return [recipient for letter in self.letters for recipient in letter.recipients]

    @property
    def message_ids(self) -> list[str]:
        return [letter.message["Message-ID"] for letter in self.letters]

    async def handle_MAIL(self, _server, _session, envelope, address, _options):  # noqa: N802
        self.commands.append("MAIL")
        if self.on_sender:
            return self.on_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        self.commands.append("RCPT")
        if self.on_recipient:
            return self.on_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.commands.append("DATA")
        if isinstance(self.on_data, str):
            if self.on_data == "hang":
                await asyncio.sleep(60)
            if self.on_data == "drop":
                server.transport.abort()
                return "421 gone"
            return self.on_data
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        encrypted = server.transport.get_extra_info("cipher") is not None
        self.letters.append(Received(envelope.mail_from, envelope.rcpt_tos, message, encrypted))
        if self.on_data:
            self.on_data()
        return "250 OK"


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, **options: Any
) -> Iterator[MailServer]:
    """A server until the block ends: with `tls` it offers STARTTLS, or speaks TLS from the start."""
    server, connections = MailServer(free_port()), list[SMTP]()

    class Quiet(Controller):
        def factory(self) -> SMTP:
            starttls: dict[str, Any] = {} if implicit else {"tls_context": tls}
            connections.append(SMTP(server, hostname="mail.test", **starttls, **options))
            return connections[-1]

    controller = Quiet(server, hostname="127.0.0.1", port=server.port, ssl_context=tls if implicit else None)
    controller.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_close(connections), controller.loop).result(timeout=10)
        controller.stop(no_assert=True)


async def _close(connections: list[SMTP]) -> None:
    # `stop` leaves open what a client has not closed, and pending what hangs on purpose.
    for one in connections:
        if isinstance(one.transport, asyncio.Transport):
            one.transport.abort()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def password_of(user: str, password: str) -> Callable[..., AuthResult]:
    def check(_server, _session, _envelope, _mechanism, given):
        right = (given.login.decode(), given.password.decode()) == (user, password)
        return AuthResult(success=right, handled=False)

    return check


def self_made_certificate(folder: Path, *, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A context for the server, and the file of its certificate, for those who trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
