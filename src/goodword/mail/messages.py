"""E-mail messages, built from a text template for each kind."""

import re
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import regex
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from goodword.config.brand_colors import readable
from goodword.config.settings import Settings
from goodword.languages import DEFAULT
from goodword.web.hosts import to_ascii


class MessageKind(StrEnum):
    """The kinds of messages. The template of the same name has the subject in its first line."""

    VERIFY_EMAIL = "verify_email"
    WELCOME = "welcome"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a kind of message
    CHANGE_EMAIL = "change_email"
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    ADDRESS_WANTED = "address_wanted"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a kind of message
    SESSION_REPLAYED = "session_replayed"
    SIGN_IN_LOCKED = "sign_in_locked"
    FRIEND_JOINED = "friend_joined"
    REWARD_EARNED = "reward_earned"
    CODE_EXPIRING = "code_expiring"
    CODE_REQUESTED = "code_requested"
    CODE_WANTED = "code_wanted"
    INVITATION = "invitation"
    WEBHOOK_DISABLED = "webhook_disabled"


GREETING = {"en": ("Hi {},", "Hello,"), "ru": ("Здравствуйте, {}!", "Здравствуйте!")}
"""With the name of the recipient, and without."""
OR_COPY = {"en": "Or open this link:", "ru": "Или откройте ссылку:"}
OWN_ACCOUNT = {
    "en": "You are receiving this e-mail because you have an account at",
    "ru": "Вы получили это письмо, потому что у вас есть учётная запись в",
}
SENT_BY = {"en": "Sent by", "ru": "Отправитель:"}
SUPPORT = {"en": "Questions? Write to", "ru": "Есть вопросы? Пишите:"}
UNSUBSCRIBE = {"en": "Unsubscribe from e-mails like this one:", "ru": "Отписаться от таких писем:"}
A_FRIEND = {"en": "A friend", "ru": "Ваш друг"}
MAX_NAME_LENGTH = 40
MAX_LINE = 76
SINGLE_TOKENS = frozenset({"To", "Message-ID", "List-Unsubscribe"})
# A dot ends an initial. A dot inside a word would make a domain. Some scripts join characters by U+200C, U+200D.
_NAME = regex.compile(r"(?:[\p{L}\p{M} '’-]|(?<=[\p{L}\p{M}])[\u200c\u200d](?=\p{L})|\.(?!\S))+")


@dataclass(frozen=True, slots=True)
class MessageContents:
    """The values that a template inserts."""

    recipient: str | None = None
    """The first name of the recipient, who is greeted by it if it is a `safe_name`."""
    link: str | None = None
    name: str | None = None
    """The name of the user who caused the message, from `safe_name`."""
    code: str | None = None
    expires_at: str | None = None
    days: int | None = None
    """Until the code expires."""
    earned: str | None = None
    """What the recipient has earned, such as an amount of money."""
    unsubscribe_link: str | None = None
    """For messages that other users cause."""


def build_message(
    kind: MessageKind,
    *,
    to: str,
    job_id: uuid.UUID,
    settings: Settings,
    now: datetime,
    language: str = DEFAULT,
    contents: MessageContents | None = None,
) -> EmailMessage:
    """Return a message. Its Message-ID comes from its job, so mail programs recognise one that is sent twice.

    It contains nothing that other users wrote but a name from `safe_name`: a name could be an advertisement.
    """
    contents = contents or MessageContents()
    subject, text, html = _render(kind, settings, language, contents)
    host = mail_host(settings.public_url)
    local_part, _, domain = to.rpartition("@")
    if local_part.isascii():  # then the address is ASCII, which every mail server accepts
        domain = domain if domain.isascii() else to_ascii(domain)
    message = EmailMessage(_Policy(utf8=not local_part.isascii()))
    message["From"] = settings.mail_from or Address(settings.brand_name, "no-reply", host)
    message["To"] = Address(username=local_part, domain=domain)
    message["Subject"] = subject
    message["Date"] = now
    message["Message-ID"] = f"<{kind}.{job_id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    if contents.unsubscribe_link:
        message["List-Unsubscribe"] = f"<{contents.unsubscribe_link}>"
        if contents.unsubscribe_link.startswith("https://"):  # required by RFC 8058, section 3.1
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # A link stays one line, also for a reader of the saved file, if nothing else has to be encoded.
    is_plain = text.isascii() and all(len(line) <= MAX_LINE or " " not in line for line in text.splitlines())
    message.set_content(text, cte="7bit" if is_plain else None)
    message.add_alternative(html, subtype="html")
    part = message.get_body(("html",))
    if part and (logo := settings.mail_logo):
        part.add_related(logo, "image", "png", cid="<logo>", disposition="inline", filename="logo.png")
    return message


def _render(
    kind: MessageKind, settings: Settings, language: str, contents: MessageContents
) -> tuple[str, str, str]:
    """Return the subject, the text and the HTML of a message."""
    values = {
        "brand": settings.brand_name,
        "language": language,
        "support": settings.support_email,
        "offer": settings.offer[language] if settings.offer else None,
        "or_copy": OR_COPY[language],
        "has_logo": settings.mail_logo is not None,
        "color": readable(settings.brand_color),
        **asdict(contents),
    }
    templates = _templates()
    text = templates.get_template(f"{language}/{kind}.txt").render(values)
    subject, _, rest = text.partition("\n\n")
    body, _, reason = rest.strip().partition("\n---\n")
    paragraphs = [_greeting(contents.recipient, language), *re.split(r"\n{2,}", body.strip())]
    footer = _footer(settings, language, reason, contents.unsubscribe_link)
    values |= {"subject": subject, "preview": paragraphs[1], "footer": footer}
    values["blocks"] = [_block(paragraph, contents.link) for paragraph in paragraphs]
    html = templates.get_template("message.html").render(values)
    lines = ("\n".join(filter(None, (line.text, line.shown))) for line in footer)
    return subject, "\n".join(("\n\n".join(paragraphs), "", "-- ", *lines, "")), html


class _Part(NamedTuple):
    """A paragraph, or a button with a link."""

    text: str
    link: str | None = None
    shown: str | None = None


def _greeting(name: str | None, language: str) -> str:
    with_name, without = GREETING[language]
    return with_name.format(name) if name and _is_safe(name) else without


def _block(paragraph: str, link: str | None) -> _Part:
    """Return a button for a paragraph of a text, a colon and, on a line of its own, the link."""
    label, _, last = paragraph.rpartition(":\n")
    return _Part(label, link) if link and last == link else _Part(paragraph)


def _footer(settings: Settings, language: str, reason: str, unsubscribe_link: str | None) -> list[_Part]:
    """Return why the recipient gets the message, who sends it from where, and how to write and to unsubscribe."""
    sender = ", ".join(filter(None, (settings.brand_name, settings.postal_address)))
    site, support = settings.brand_url or settings.public_url, settings.support_email
    parts = [
        _Part(reason or f"{OWN_ACCOUNT[language]} {settings.brand_name}."),
        _Part(f"{SENT_BY[language]} {sender}", site, site),
    ]
    if support:
        parts.append(_Part(SUPPORT[language], f"mailto:{support}", support))
    if unsubscribe_link:
        parts.append(_Part(UNSUBSCRIBE[language], unsubscribe_link, unsubscribe_link))
    return parts


class _Policy(EmailPolicy):
    """Lines of at most 76 characters (RFC 2045 §6.7 and §6.8, RFC 2047 §2), except a header that is one token.

    To fold such a header, Python would encode it or insert blanks.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"linesep": "\r\n", "max_line_length": MAX_LINE, "cte_type": "7bit", **options})

    def fold_binary(self, name: str, value: str) -> bytes:
        if name not in SINGLE_TOKENS:
            return super().fold_binary(name, value)
        blank = " " if len(f"{name}: {value}") <= MAX_LINE else f"{self.linesep} "
        return f"{name}:{blank}{value}{self.linesep}".encode()


def safe_name(name: str, language: str) -> str:
    """Return a display name of at most 40 characters without digits and symbols, or else "A friend".

    Mail programs turn text that resembles a URL or a telephone number into a link.
    """
    return name if _is_safe(name) else A_FRIEND[language]


def _is_safe(name: str) -> bool:
    return len(name) <= MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None


def mail_host(public_url: str) -> str:
    """Return the domain of the default sender and of the SMTP greeting."""
    host = urlsplit(public_url).hostname or "localhost"
    try:
        ip_address(host)
    except ValueError:
        return to_ascii(host)
    return "localhost"  # an IP address cannot be a mail domain


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("goodword.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
