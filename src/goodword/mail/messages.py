"""Letters: a template of text for each, in a message with safe headers (RFC 5322)."""

import re
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

import idna
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from goodword.languages import DEFAULT


class MessageKind(StrEnum):
    """Each has a template of its name, whose first line is the subject."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a kind of letter
    CHANGE_EMAIL = "change_email"
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    ADDRESS_WANTED = "address_wanted"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind of letter
    SESSION_REPLAYED = "session_replayed"
    SIGN_IN_LOCKED = "sign_in_locked"
    FRIEND_JOINED = "friend_joined"
    CODE_ASKED_FOR = "code_asked_for"
    INVITATION = "invitation"


UNSUBSCRIBE = {
    "en": "No more letters like this one, whoever asks for them:",
    "ru": "Больше не получать таких писем, кто бы о них ни просил:",
}
A_FRIEND = {"en": "A friend", "ru": "Ваш знакомый"}
LONGEST_NAME = 40
# A dot ends an initial: one with a letter right behind it would make a domain.
_NAME = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f '’-]|\.(?!\S))+")


@dataclass(frozen=True, slots=True)
class MessageContents:
    """What stands in a letter besides its template."""

    link: str | None = None
    name: str | None = None
    """Of the person whose doing the letter is, as `shown_name` lets it through."""
    code: str | None = None
    unsubscribe_link: str | None = None
    """For letters that others cause: it refuses all further ones."""


NOTHING = MessageContents()


def build_message(
    kind: MessageKind,
    *,
    to: str,
    job_id: uuid.UUID,
    public_url: str,
    now: datetime,
    language: str = DEFAULT,
    sender: str | None = None,
    contents: MessageContents = NOTHING,
) -> EmailMessage:
    """A letter. Its Message-ID comes from its job, so that one sent twice can be told for one.

    Of what people write about themselves nothing is in it but the name of whom the reader hears of, and that
    only as `shown_name` lets it through: anyone could send strangers an advertisement in place of a name.
    """
    values = {
        "site": public_url,
        "language": language,
        "refuse_text": UNSUBSCRIBE[language],
        **asdict(contents),
    }
    text = _templates().get_template(f"{language}/{kind}.txt").render(values)
    subject, _, body = text.partition("\n\n")
    paragraphs = [paragraph.replace("\n", " ") for paragraph in body.strip().split("\n\n")]
    html = _templates().get_template("letter.html").render(values, subject=subject, paragraphs=paragraphs)
    if contents.unsubscribe_link:
        body = f"{body.strip()}\n\n-- \n{UNSUBSCRIBE[language]}\n{contents.unsubscribe_link}"
    host = mail_host(public_url)
    local_part, _, domain = to.rpartition("@")
    if local_part.isascii():  # then the whole address can be, and any mail server takes it
        domain = _ascii(domain)
    # Neither a link nor a Message-ID is to be broken over two lines; what is not ASCII is encoded for 7 bits.
    policy = (SMTP if local_part.isascii() else SMTPUTF8).clone(max_line_length=998, cte_type="7bit")
    message = EmailMessage(policy)
    message["From"] = sender or Address("Goodword", "no-reply", host)
    message["To"] = Address(username=local_part, domain=domain)
    message["Subject"] = subject
    message["Date"] = now
    message["Message-ID"] = f"<{kind}.{job_id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    if contents.unsubscribe_link:
        message["List-Unsubscribe"] = f"<{contents.unsubscribe_link}>"
        if contents.unsubscribe_link.startswith("https://"):  # RFC 8058 §3.1 asks for it
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(f"{body.strip()}\n")
    message.add_alternative(html, subtype="html")
    return message


def _ascii(domain: str) -> str:
    """A domain as mail servers know it, by the rules by which addresses are compared (IDNA 2008, UTS 46).

    Not by Python's own codec, which knows those of 2003: it would send the letters of faß.de to fass.de.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()


def shown_name(name: str, language: str) -> str:
    """A display name as letters may show it: letters, blanks and the marks that names have, 40 at most.

    Anything else is "a friend": mail programs make links of whatever looks like one, and telephone numbers,
    prices and addresses are no names.
    """
    return name if len(name) <= LONGEST_NAME and _NAME.fullmatch(name) else A_FRIEND[language]


def mail_host(public_url: str) -> str:
    """The domain that letters come from unless another is set, and by which we greet mail servers."""
    host = urlsplit(public_url).hostname or "localhost"
    try:
        ip_address(host)
    except ValueError:
        return _ascii(host)
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
