"""The settings: one class, read from the environment and `.env` by `load`, never at import."""

import ipaddress
import os
import re
import secrets
import unicodedata
from collections.abc import Mapping
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from goodword import limit_policies, production
from goodword.smtp_url import MailServer, parse as parse_smtp_url

PREFIX = "GOODWORD_"


class SettingsError(Exception):
    """The settings do not allow a start. The text names every setting at fault, never a value."""


def _split(value: object) -> object:
    return tuple(part for part in value.replace(",", " ").split()) if isinstance(value, str) else value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ValueError("must be addresses or networks, such as 10.0.0.0/8") from None
    return value


def _limits(value: tuple[str, ...]) -> tuple[str, ...]:
    limit_policies.parse(value)
    return value


def _origin(value: str) -> str:
    good = (
        _can_be_read(value) and value.startswith(("http://", "https://")) and not re.search(r"[\s@?#]", value)
    )
    if not good or not urlsplit(value).hostname:
        raise ValueError("must be an http:// or https:// address without user, query and fragment")
    return value.rstrip("/")


def _can_be_read(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        try:
            parts = urlsplit(f"//{host}")
            good = host == "*" or (parts.netloc == host and host.strip("[]") == (parts.hostname or ""))
        except ValueError:
            good = False
        if not good or "@" in host:
            raise ValueError("must be host names in lower case, without scheme and port")
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
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


def _mail_server(value: SecretStr) -> SecretStr:
    parse_smtp_url(value.get_secret_value())
    return value


def _sender(value: str) -> str:
    try:
        found = validate_email(
            value, check_deliverability=False, test_environment=True, allow_display_name=True
        )
    except EmailNotValidError:
        raise ValueError(
            "must be an address, such as hello@example.com or Acme <hello@example.com>"
        ) from None
    name = found.display_name or ""
    if not found.local_part.isascii() or any(unicodedata.category(character)[0] == "C" for character in name):
        raise ValueError("must be an address in ASCII, and a name without control characters")
    return str(Address(name, found.local_part, found.ascii_domain))


def _is_redis(value: str) -> bool:
    if not _can_be_read(value):
        return False
    parts = urlsplit(value)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    return parts.scheme in ("redis", "rediss", "unix") and bool(place) and not parts.query


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
HttpUrl = Annotated[str, AfterValidator(_origin)]
Switch = Literal["on", "off"]

PROVIDERS = (
    ("google_client_id", "google_client_secret"),
    ("github_client_id", "github_client_secret"),
    ("oidc_issuer", "oidc_client_id", "oidc_client_secret"),
)
"""What it takes for people to sign in with each: all of a line, or none."""


class Settings(BaseModel):
    """Everything an operator can set, each as `GOODWORD_<NAME>`; a `SecretStr` also as `…_FILE`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Literal["development", "production"] = "development"
    data_dir: Path = Path("data")
    database_url: SecretStr | None = None
    pgbouncer: Switch = "off"
    redis_url: SecretStr | None = None
    cache: Switch = "on"
    secret_key: SecretStr | None = None

    public_url: HttpUrl = "http://127.0.0.1:8000"
    allowed_hosts: Annotated[Words, AfterValidator(_hosts)] = ()
    cors_origins: Annotated[Words, AfterValidator(_origins)] = ()
    trusted_proxies: Annotated[Words, AfterValidator(_networks)] = ()
    docs: Switch | None = None
    code_lookup: Literal["public", "authenticated", "off"] = "public"
    rate_limits: Switch = "on"
    limits: Annotated[Words, AfterValidator(_limits)] = ()

    password_min_length: int = Field(default=8, ge=8, le=128)
    password_hash: Literal["standard", "small", "fast_for_tests"] = "standard"  # noqa: S105  a cost
    access_token_lifetime: int = Field(default=600, ge=60, le=3600)

    smtp_url: Annotated[SecretStr, AfterValidator(_mail_server)] | None = None
    mail_from: Annotated[str, AfterValidator(_sender)] | None = None
    email_check: Literal["off", "async", "blocking"] | None = None
    hunter_api_key: SecretStr | None = None
    hunter_url: HttpUrl = "https://api.hunter.io"
    email_disposable: Literal["allow", "refuse"] = "allow"
    enrichment: Literal["none", "hunter", "clearbit"] = "none"
    clearbit_api_key: SecretStr | None = None
    clearbit_url: HttpUrl = "https://person.clearbit.com"

    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    oidc_name: str | None = None
    oidc_issuer: HttpUrl | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None

    log_format: Literal["console", "json"] = "console"
    log_requests: Literal["all", "changes"] | None = None
    metrics_token: SecretStr | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> list[str]:
        found = self._service_problems()
        starts = ("sqlite+aiosqlite:///", "postgresql+asyncpg://")
        if not self.database.startswith(starts) or not _can_be_read(self.database):
            found.append(
                f"{PREFIX}DATABASE_URL must start with sqlite+aiosqlite:/// or postgresql+asyncpg://, and be an address"
            )
        if self.redis_url and not _is_redis(self.redis_url.get_secret_value()):
            found.append(
                f"{PREFIX}REDIS_URL must be redis:// or rediss:// with a host, or unix:// with a path, without options"
            )
        if self.secret_key and len(self.secret_key.get_secret_value()) < 32:
            found.append(f"{PREFIX}SECRET_KEY must have 32 characters or more")
        for names in PROVIDERS:
            missing = [name for name in names if not getattr(self, name)]
            if 0 < len(missing) < len(names):
                together = ", ".join(PREFIX + name.upper() for name in names)
                found.append(f"{together} come together: {PREFIX}{missing[0].upper()} is missing")
        if self.oidc_issuer and len(self.oidc_issuer) > 255:
            found.append(f"{PREFIX}OIDC_ISSUER may have 255 characters at most")
        if self.environment == "production" and _can_be_read(self.database):
            found += [f"{PREFIX}{weakness}" for weakness in production.weaknesses(self)]
        return found

    def _service_problems(self) -> list[str]:
        found = []
        if self.email_check in ("async", "blocking") and not self.hunter_api_key:
            found.append(f"{PREFIX}EMAIL_CHECK={self.email_check} needs {PREFIX}HUNTER_API_KEY")
        if self.enrichment != "none" and not getattr(self, f"{self.enrichment}_api_key"):
            needed = f"{PREFIX}{self.enrichment.upper()}_API_KEY"
            found.append(f"{PREFIX}ENRICHMENT={self.enrichment} needs {needed}")
        for name, key in (("HUNTER", self.hunter_api_key), ("CLEARBIT", self.clearbit_api_key)):
            if key and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
                found.append(f"{PREFIX}{name}_API_KEY has characters that no header can carry")
        return found

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force: the embedded SQLite file when none is set."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'goodword.sqlite3'}"

    @property
    def mail_server(self) -> MailServer | None:
        """Where letters are handed in; None: they are kept as files."""
        return parse_smtp_url(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @property
    def embedded(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def secret(self) -> bytes:
        """The secret that every other key is derived from."""
        if self.secret_key is None:
            raise SettingsError(f"{PREFIX}SECRET_KEY is not set: any text of 32 or more characters")
        return self.secret_key.get_secret_value().encode()

    @property
    def address_check(self) -> Literal["off", "async", "blocking"]:
        """When new addresses are checked: after the sign-up, once there is a key to ask with."""
        return self.email_check or ("async" if self.hunter_api_key else "off")

    @property
    def docs_shown(self) -> bool:
        """On, unless production left it unset: a public API page is for the operator to choose."""
        return self.docs == "on" or (self.docs is None and self.environment == "development")

    @property
    def reads_logged(self) -> bool:
        """In development every request has a line in the log; elsewhere those that change something, or fail."""
        return self.log_requests == "all" or (self.log_requests is None and self.environment == "development")


NOT_BUILT = frozenset(
    {
        "metrics_token",
    }
)
"""Settings that are accepted already although this version has nothing yet that they change."""

SECRETS = frozenset(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> Settings:
    """Settings from `.env` and the environment, which wins. Raises `SettingsError` naming all that is wrong."""
    given = {**(dotenv_values(env_file) if env_file else {}), **(os.environ if environ is None else environ)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable, text in given.items():
        if not variable.startswith(PREFIX) or not text:
            continue  # an empty variable is an unset one: compose files pass them so
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = text
        elif (secret := name.removesuffix("_file")) in SECRETS and secret != name:
            if given.get(PREFIX + secret.upper()):
                problems.append(f"{variable} and {PREFIX}{secret.upper()} are both set")
                continue
            try:
                values[secret] = Path(text).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{variable}: cannot read the file ({type(error).__name__})")
        else:
            problems.append(f"{variable} is not a setting")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors(include_input=False, include_url=False)]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _describe(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{error['loc'][0].upper()}: {message}" if error["loc"] else message


def with_own_secret(settings: Settings) -> Settings:
    """On the embedded database: make the data folder, and the secret key once, and use it ever after."""
    if settings.secret_key or not settings.embedded:
        return settings
    path = settings.data_dir / "secret_key"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"secret_key.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # whole or not at all, and the first of several processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return settings.model_copy(update={"secret_key": SecretStr(path.read_text(encoding="utf-8").strip())})
