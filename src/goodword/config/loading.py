"""Load the settings from the environment, `.env` and secret files."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from goodword.config import secret_files
from goodword.config.env_file import read as read_env_file
from goodword.config.settings import PREFIX, Settings, SettingsError

QUOTES = "\"'"

SECRETS = frozenset(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)


def load(
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
    *,
    skip: Collection[str] = (),
) -> Settings:
    """Return the settings from `.env` and the environment, which takes precedence, without the variables in `skip`.

    Raises `SettingsError`, which lists every wrong setting.
    """
    given = {**(read_env_file(env_file) if env_file else {}), **(os.environ if environ is None else environ)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable, text in given.items():
        if not variable.startswith(PREFIX) or not text or variable in skip:
            continue  # an empty variable is an unset one: compose files pass them so
        if not text.strip():
            problems.append(f"{variable} is blank: give it a value, or leave it empty")
            continue
        if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES:
            problems.append(
                f"{variable} is in quotation marks, which `docker --env-file` keeps: leave them out"
            )
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


def unknown_variables(environ: Mapping[str, str], env_file: Path) -> Sequence[str]:
    """Return the variables with our prefix that are no settings. Raises `SettingsError` for an unreadable file."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS}
    given = {**read_env_file(env_file), **environ}
    return sorted(
        name for name, text in given.items() if name.startswith(PREFIX) and text and name not in known
    )


def _describe(error: Any) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{error['loc'][0].upper()}: {message}" if error["loc"] else message


def with_own_secret(settings: Settings, *, create: bool = False) -> Settings:
    """Return the settings with the key of the data folder, on the embedded database.

    With `create`, make the key if there is no database yet. Raises `SettingsError` for a key that is missing, empty,
    damaged or too weak.
    """
    if settings.secret_key or not settings.sqlite_file:
        return settings
    path = settings.data_dir / "secret_key"
    if create and not settings.sqlite_file.exists():  # a new key would not fit an existing database
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
