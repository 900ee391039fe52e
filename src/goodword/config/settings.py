"""The settings: one class, read from the environment and `.env` by `load`, never at import."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    model_validator,
)

from goodword.config import production_checks
from goodword.config.brand_settings import BrandSettings
from goodword.config.postgres_url import DRIVER, PostgresServer, normalise, parse as parse_postgres_url
from goodword.config.redis_url import RedisServer, parse as parse_redis_url
from goodword.config.retention_settings import RetentionSettings
from goodword.config.risk_settings import RiskSettings
from goodword.config.setting_types import (
    HttpUrl,
    Secret,
    Switch,
    Words,
    can_be_read,
    check_hosts,
    check_limits,
    check_mail_server,
    check_networks,
    check_origins,
    check_parameter,
    check_redis,
    check_sender,
)
from goodword.config.smtp_url import MailServer, parse as parse_smtp_url

PREFIX = "GOODWORD_"
SQLITE = "sqlite+aiosqlite:///"


class SettingsError(Exception):
    """The settings do not allow a start. The text names every setting at fault, never a value."""


PROVIDERS = (
    ("google_client_id", "google_client_secret"),
    ("github_client_id", "github_client_secret"),
    ("oidc_issuer", "oidc_client_id", "oidc_client_secret"),
)
"""The settings of each sign-in provider: all of a group, or none."""


class Settings(BrandSettings, RetentionSettings, RiskSettings):
    """The settings, each read from `GOODWORD_<NAME>`; a `SecretStr` also from `…_FILE`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Literal["development", "production"] = "development"
    data_dir: Path = Path("data")
    backup_dir: Path | None = None
    backup_keep: int = Field(default=14, ge=1, le=1000)
    database_url: Secret | None = None
    replica_url: Secret | None = None
    pgbouncer: Switch = "off"
    pool_size: int | None = Field(default=None, ge=2, le=1000)
    redis_url: Annotated[Secret, AfterValidator(check_redis)] | None = None
    cache: Switch = "on"
    secret_key: Secret | None = None

    public_url: HttpUrl = "http://127.0.0.1:8000"
    allowed_hosts: Annotated[Words, AfterValidator(check_hosts)] = ()
    cors_origins: Annotated[Words, AfterValidator(check_origins)] = ()
    embed_origins: Annotated[Words, AfterValidator(check_origins)] = ()
    capture_parameter: Annotated[str, AfterValidator(check_parameter)] = "ref"
    drain_seconds: float = Field(default=5, ge=0, le=10)
    trusted_proxies: Annotated[Words, AfterValidator(check_networks)] = ()
    docs: Switch | None = None
    pages: Switch = "on"
    sign_up: Literal["open", "code", "off"] = "open"
    code_lookup: Literal["public", "authenticated", "off"] = "public"
    rate_limits: Switch = "on"
    limits: Annotated[Words, AfterValidator(check_limits)] = ()

    password_min_length: int = Field(default=8, ge=8, le=128)
    password_hash: Literal["standard", "small", "fast_for_tests"] = "standard"  # noqa: S105  a cost
    access_token_lifetime: int = Field(default=600, ge=60, le=3600)

    smtp_url: Annotated[Secret, AfterValidator(check_mail_server)] | None = None
    mail_from: Annotated[str, AfterValidator(check_sender)] | None = None
    email_check: Literal["off", "async", "blocking"] | None = None
    hunter_api_key: Secret | None = None
    hunter_url: HttpUrl = "https://api.hunter.io"
    first_code: Literal["ask", "automatic"] = "ask"
    reward_emails: Switch = "on"
    self_referrals: Literal["allow", "flag", "hold", "refuse"] = "flag"
    email_disposable: Literal["allow", "hold", "refuse"] = "allow"
    loopback_webhooks: Switch = "off"
    enrichment: Literal["none", "hunter", "clearbit"] = "none"
    clearbit_api_key: Secret | None = None
    clearbit_url: HttpUrl = "https://person.clearbit.com"

    google_client_id: str | None = None
    google_client_secret: Secret | None = None
    github_client_id: str | None = None
    github_client_secret: Secret | None = None
    oidc_name: str | None = None
    oidc_issuer: HttpUrl | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: Secret | None = None

    metrics_token: Secret | None = None
    otlp_endpoint: HttpUrl | None = None
    worker_health_port: int | None = Field(default=None, ge=1, le=65535)
    log_format: Literal["console", "json"] = "console"
    log_requests: Literal["all", "changes"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = list(self.problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def problems(self) -> list[str]:
        """Return what is wrong with the settings together, each by its name and without its value."""
        found = self._service_problems()
        starts = (SQLITE, DRIVER)
        database_is_readable = False
        if not self.database.startswith(starts) or not can_be_read(self.database):
            found.append(
                f"{PREFIX}DATABASE_URL must start with sqlite+aiosqlite:/// or postgresql+asyncpg://, and be an address"
            )
        else:
            try:
                _ = self.database_server
                database_is_readable = True
            except ValueError as error:
                found.append(f"{PREFIX}DATABASE_URL {error}")
        found += self._replica_problems()
        if self.secret_key and len(self.secret_key.get_secret_value().strip()) < 32:
            found.append(f"{PREFIX}SECRET_KEY must have 32 characters or more")
        for names in PROVIDERS:
            missing = [name for name in names if not getattr(self, name)]
            if 0 < len(missing) < len(names):
                together = ", ".join(PREFIX + name.upper() for name in names)
                found.append(f"{together} come together: {PREFIX}{missing[0].upper()} is missing")
        if self.oidc_issuer and len(self.oidc_issuer) > 255:
            found.append(f"{PREFIX}OIDC_ISSUER may have 255 characters at most")
        if self.environment == "production" and database_is_readable:
            found += [f"{PREFIX}{weakness}" for weakness in production_checks.weaknesses(self)]
        return found

    def _replica_problems(self) -> list[str]:
        if self.replica is None:
            return []
        if self.embedded or not self.replica.startswith(DRIVER) or not can_be_read(self.replica):
            return [f"{PREFIX}REPLICA_URL must be a PostgreSQL, and needs one in {PREFIX}DATABASE_URL"]
        try:
            server = parse_postgres_url(self.replica)
        except ValueError as error:
            return [f"{PREFIX}REPLICA_URL {error}"]
        if self.environment == "production" and not production_checks.is_safe_database(server):
            return [f"{PREFIX}REPLICA_URL {production_checks.NEEDS_TLS}"]
        return []

    def _service_problems(self) -> list[str]:
        found = []
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", self.base_path):
            found.append(
                f"{PREFIX}PUBLIC_URL may have a path of letters, digits, dots, hyphens, _ and ~ only"
            )
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
    def base_path(self) -> str:
        """Return the path of PUBLIC_URL, or an empty text. A proxy removes it from requests."""
        return urlsplit(self.public_url).path

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL: the embedded SQLite file if none is set."""
        if self.database_url:
            return normalise(self.database_url.get_secret_value())
        return SQLITE + quote(str(self.data_dir / "goodword.sqlite3"), safe="/ ")

    @property
    def emails_dir(self) -> Path:
        """Return the folder of e-mails that are saved as files."""
        return self.data_dir / "emails"

    def page_link(self, path: str) -> str | None:
        """Return the link to a page of users. Where pages are off, it leads to the product, if its address is set."""
        return self.public_url + path if self.pages == "on" else self.brand_url

    @property
    def replica(self) -> str | None:
        """Return the SQLAlchemy URL of the replica."""
        return normalise(self.replica_url.get_secret_value()) if self.replica_url else None

    @property
    def sqlite_file(self) -> Path | None:
        """Return the file of the embedded database; None with PostgreSQL."""
        if not self.embedded:
            return None
        return Path(unquote(self.database.removeprefix(SQLITE).partition("?")[0]))

    @property
    def database_name(self) -> str:
        """Return the database for messages: its file, or its server and name, without the password."""
        if self.sqlite_file:
            return str(self.sqlite_file.absolute())
        server = parse_postgres_url(self.database)
        return f"{server.database or server.user or 'the default database'} on {', '.join(server.hosts) or 'the local socket'}"

    @property
    def database_server(self) -> PostgresServer | None:
        """Return the PostgreSQL server, or None for the embedded database."""
        return None if self.embedded else parse_postgres_url(self.database)

    @property
    def mail_server(self) -> MailServer | None:
        """Return the mail server, or None: e-mails are kept as files."""
        return parse_smtp_url(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @property
    def redis(self) -> str | None:
        return self.redis_url.get_secret_value() if self.redis_url else None

    @property
    def redis_server(self) -> RedisServer | None:
        return parse_redis_url(self.redis_url.get_secret_value()) if self.redis_url else None

    @property
    def embedded(self) -> bool:
        return self.database.startswith("sqlite")

    @property
    def secret(self) -> bytes:
        """Return the secret that every other key is derived from."""
        if self.secret_key is None:
            raise SettingsError(f"{PREFIX}SECRET_KEY is not set: any text of 32 or more characters")
        return self.secret_key.get_secret_value().encode()

    @property
    def address_check(self) -> Literal["off", "async", "blocking"]:
        """Return when new addresses are checked: by default after the sign-up, if there is an API key."""
        return self.email_check or ("async" if self.hunter_api_key else "off")

    @property
    def docs_shown(self) -> bool:
        """Return whether the API documentation is served. In production only if it is set to on."""
        return self.docs == "on" or (self.docs is None and self.environment == "development")

    @property
    def reads_logged(self) -> bool:
        """Return whether reads are logged. By default only in development."""
        return self.log_requests == "all" or (self.log_requests is None and self.environment == "development")
