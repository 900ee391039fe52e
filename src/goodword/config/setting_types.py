"""The types of single settings. Each check raises `ValueError`, whose text holds no part of the value."""

import ipaddress
import re
import unicodedata
from email.headerregistry import Address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, SecretStr

from goodword.config import rate_limits, secret_files
from goodword.config.redis_url import parse as parse_redis_url
from goodword.config.smtp_url import parse as parse_smtp_url


def _split(value: object) -> object:
    return tuple(part for part in value.replace(",", " ").split()) if isinstance(value, str) else value


def check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ValueError("must be addresses or networks, such as 10.0.0.0/8") from None
    return value


def check_limits(value: tuple[str, ...]) -> tuple[str, ...]:
    rate_limits.parse(value)
    return value


def check_origin(value: str) -> str:
    good = (
        can_be_read(value) and value.startswith(("http://", "https://")) and not re.search(r"[\s@?#]", value)
    )
    if not good or not urlsplit(value).hostname:
        raise ValueError("must be an http:// or https:// address without user, query and fragment")
    return value.rstrip("/")


def can_be_read(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def check_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        name = host.removeprefix("*.")  # any name below it
        try:
            parts = urlsplit(f"//{name}")
            good = host == "*" or (parts.netloc == name and name.strip("[]") == (parts.hostname or ""))
        except ValueError:
            good = False
        if not good or not name or set("@*") & set(name) - {host}:
            raise ValueError(
                "must be host names in lower case, without scheme and port, or such as *.example.com"
            )
    return value


def check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        try:
            parts = urlsplit(origin)
            port, usual = parts.port, {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            port = usual = None
        exact = usual is not None and origin == f"{parts.scheme}://{parts.netloc}" == origin.lower()
        if (
            not exact
            or port == usual
            or not parts.hostname
            or set("*@") & set(origin)
            or not origin.isascii()
        ):
            raise ValueError(
                "must be origins as browsers send them, such as https://app.example or http://localhost:5173"
            )
    return value


def check_parameter(value: str) -> str:
    """Return the name of a query parameter. Links have a parameter `touch` beside it."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", value) or value == "touch":
        raise ValueError("must be up to 32 Latin letters, digits, hyphens and _, and not touch")
    return value


def check_secret(value: SecretStr) -> SecretStr:
    secret_files.check(value.get_secret_value())
    return value


def check_mail_server(value: SecretStr) -> SecretStr:
    parse_smtp_url(value.get_secret_value())
    return value


def check_sender(value: str) -> str:
    """Return the sender for a `From` header. A name may be without quotation marks, and in any script."""
    named = re.fullmatch(r'(".*"|[^<>]*?)\s*<([^<>]+)>', value.strip())
    name, text = named.groups() if named else ("", value)
    if name.startswith('"') and name.endswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError(
            "must be an address, such as hello@example.com or Acme Inc. <hello@example.com>"
        ) from None
    if not found.local_part.isascii() or any(unicodedata.category(character)[0] == "C" for character in name):
        raise ValueError("must be an address in ASCII, and a name without control characters")
    return str(Address(name, found.local_part, found.ascii_domain))


def check_redis(value: SecretStr) -> SecretStr:
    parse_redis_url(value.get_secret_value())
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
HttpUrl = Annotated[str, AfterValidator(check_origin)]
Switch = Literal["on", "off"]
Secret = Annotated[SecretStr, AfterValidator(check_secret)]
