"""The settings: one class, read from the environment and `.env` by `load`, never at import."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from goodword import production, secret_files
from goodword.postgres_url import PostgresServer, parse as parse_postgres_url
from goodword.setting_values import (
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
    check_sender,
    is_redis,
)
from goodword.smtp_url import MailServer, parse as parse_smtp_url

PREFIX = "GOODWORD_"


class SettingsError(Exception):
    """The settings do not allow a start. The text names every setting at fault, never a value."""


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
    database_url: Secret | None = None
    pgbouncer: Switch = "off"
    redis_url: Secret | None = None
    cache: Switch = "on"
    secret_key: Secret | None = None

    public_url: HttpUrl = "http://127.0.0.1:8000"
    allowed_hosts: Annotated[Words, AfterValidator(check_hosts)] = ()
    cors_origins: Annotated[Words, AfterValidator(check_origins)] = ()
    trusted_proxies: Annotated[Words, AfterValidator(check_networks)] = ()
    docs: Switch | None = None
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
    email_disposable: Literal["allow", "refuse"] = "allow"
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

    log_format: Literal["console", "json"] = "console"
    log_requests: Literal["all", "changes"] | None = None
    metrics_token: Secret | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = list(self.problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def problems(self) -> list[str]:
        """Return what is wrong with the settings together, each by its name and without its value."""
        found = self._service_problems()
        starts = ("sqlite+aiosqlite:///", "postgresql+asyncpg://")
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
        if self.redis_url and not is_redis(self.redis_url.get_secret_value()):
            found.append(
                f"{PREFIX}REDIS_URL must be redis:// or rediss:// with a host, or unix:// with a path, without options"
            )
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
    def database_server(self) -> PostgresServer | None:
        """The PostgreSQL server; None for the embedded database."""
        return None if self.embedded else parse_postgres_url(self.database)

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
    # An editor may begin the file with a byte order mark, which would hide the first setting.
    from_file = dotenv_values(env_file, encoding="utf-8-sig") if env_file else {}
    given = {**from_file, **(os.environ if environ is None else environ)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable, text in given.items():
        if not variable.startswith(PREFIX) or not text:
            continue  # an empty variable is an unset one: compose files pass them so
        if not text.strip():
            problems.append(f"{variable} is blank: give it a value, or leave it empty")
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in Settings.model_fields:
            values[name] = text
        elif (secret := name.removesuffix("_file")) in SECRETS and secret != name:
            if given.get(PREFIX + secret.upper()):
                problems.append(f"{variable} and {PREFIX}{secret.upper()} are both set")
                continue
            try:
                values[secret] = secret_files.read(Path(text))
            except ValueError as error:
                problems.append(f"{variable}: {error}")
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
    """Return the settings with the key of the data folder, made at the first start, on the embedded database.

    Raises `SettingsError` for a key in the folder that is empty, damaged or too weak.
    """
    if settings.secret_key or not settings.embedded:
        return settings
    path = settings.data_dir / "secret_key"
    secret_files.make_once(path)
    try:
        own = settings.model_copy(update={"secret_key": SecretStr(secret_files.read(path))})
        problems = "; ".join(own.problems())
    except ValueError as error:
        problems = str(error)
    if problems:
        raise SettingsError(
            f"{path.name} in {PREFIX}DATA_DIR: {problems}. Put the file of a backup in its place."
        )
    return own
