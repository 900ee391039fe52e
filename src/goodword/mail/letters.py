"""Letters: a template of text for each, in a message with safe headers (RFC 5322)."""

import uuid
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


class LetterKind(StrEnum):
    """Each has a template of its name, whose first line is the subject."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a kind of letter
    CHANGE_EMAIL = "change_email"
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    ADDRESS_WANTED = "address_wanted"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind of letter
    SESSION_REPLAYED = "session_replayed"


def write(
    kind: LetterKind, *, to: str, job_id: uuid.UUID, public_url: str, now: datetime, link: str | None = None
) -> EmailMessage:
    """A letter. Its Message-ID comes from its job, so that one sent twice can be told for one.

    Nothing that people write about themselves is in it, names included: anyone could register a stranger's
    address under the name of an advertisement.
    """
    values = {"site": public_url, "link": link}
    text = _templates().get_template(f"{kind}.txt").render(values)
    subject, _, body = text.partition("\n\n")
    paragraphs = [paragraph.replace("\n", " ") for paragraph in body.strip().split("\n\n")]
    html = _templates().get_template("letter.html").render(values, subject=subject, paragraphs=paragraphs)
    host = _mail_host(public_url)
    # Neither a link nor a Message-ID is to be broken over two lines; what is not ASCII is encoded for 7 bits.
    policy = (SMTP if to.isascii() else SMTPUTF8).clone(max_line_length=998, cte_type="7bit")
    message = EmailMessage(policy)
    message["From"] = Address("Goodword", "no-reply", host)
    local_part, _, domain = to.rpartition("@")
    message["To"] = Address(username=local_part, domain=domain)
    message["Subject"] = subject
    message["Date"] = now
    message["Message-ID"] = f"<{kind}.{job_id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(f"{body.strip()}\n")
    message.add_alternative(html, subtype="html")
    return message


def _mail_host(public_url: str) -> str:
    host = urlsplit(public_url).hostname or "localhost"
    try:
        ip_address(host)
    except ValueError:
        return host.encode("idna").decode()
    return "localhost"  # an IP address is no domain of mail


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("goodword.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
