"""Checks of the settings and of the machine."""

import difflib
import os
from collections.abc import Iterator, Sequence

from goodword.config.settings import PREFIX, Settings
from goodword.doctor.findings import Check, Finding, Level, error, note, ok, warning
from goodword.doctor.installation import Installation

MIN_OPEN_FILES = 1024


async def check_values(installation: Installation) -> Finding:
    if installation.problems:
        return error("The settings are not valid: " + "; ".join(installation.problems) + ".")
    return ok("The settings are valid.")


async def check_names(installation: Installation) -> Finding:
    if not installation.unknown:
        return ok("All variables are settings.")
    return error("Not a setting: " + ", ".join(map(_with_suggestion, installation.unknown)) + ".")


def _with_suggestion(variable: str) -> str:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    close = difflib.get_close_matches(variable, known, n=1, cutoff=0.8)
    return f"{variable} (did you mean {close[0]}?)" if close else variable


async def check_effects(installation: Installation) -> Finding:
    idle = sorted({PREFIX + name.upper() for name in _without_effect(installation.settings)})
    return warning(f"Without effect: {', '.join(idle)}.") if idle else ok("All settings have an effect.")


def _without_effect(settings: Settings) -> Iterator[str]:
    """Yield the names of settings that are set, and do nothing beside the others."""
    given = settings.model_fields_set
    if settings.embedded:
        yield from {"pool_size", "pgbouncer"} & given
    if settings.backup_dir is None:
        yield from {"backup_keep"} & given
    if settings.oidc_issuer is None:
        yield from {"oidc_name"} & given
    if settings.rate_limits == "off":
        yield from {"limits"} & given
    if settings.address_check == "off" and settings.enrichment != "hunter":
        yield from {"hunter_api_key", "hunter_url"} & given
    if settings.enrichment != "clearbit":
        yield from {"clearbit_api_key", "clearbit_url"} & given


async def check_environment(installation: Installation) -> Finding:
    settings = installation.settings
    if settings.environment == "production":
        return ok("ENVIRONMENT is production.")
    if settings.public_url.startswith("https://"):
        return warning("ENVIRONMENT is development, and PUBLIC_URL is an https:// address.")
    return ok("ENVIRONMENT is development.")


async def check_rate_limits(installation: Installation) -> Finding:
    if installation.settings.rate_limits == "off":
        return note("RATE_LIMITS is off: passwords can be tried without end.")
    return ok("Requests are limited.")


async def check_password_hash(installation: Installation) -> Finding:
    if installation.settings.password_hash == "fast_for_tests":  # noqa: S105  a cost
        return note("PASSWORD_HASH is fast_for_tests: stolen hashes would be no hindrance.")
    return ok(f"PASSWORD_HASH is {installation.settings.password_hash}.")


async def check_docs(installation: Installation) -> Finding:
    if installation.in_production and installation.settings.docs_shown:
        return note("DOCS is on: everyone can read the documentation of the API.")
    return ok("The documentation of the API is shown in development only.")


async def check_log(installation: Installation) -> Finding:
    if installation.in_production and installation.settings.log_requests == "all":
        return note("LOG_REQUESTS is all: the log grows by a line for each read.")
    return ok("The log has what the environment needs.")


async def check_open_files(_installation: Installation) -> Finding:
    if os.name != "posix":
        return ok("This system has no such limit.")
    import resource  # not on Windows, where other commands run

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(soft, hard) if hard != resource.RLIM_INFINITY else hard  # the service raises its own
    if highest != resource.RLIM_INFINITY and highest < MIN_OPEN_FILES:
        return warning(f"A process may open {highest} files, and each connection is one.")
    return ok("A process may open enough files.")


CHECKS: Sequence[Check] = (
    Check(
        id="settings-values",
        title="The settings are valid",
        remedy="Correct each setting that is named. `goodword config` shows the settings in use.",
        level=Level.ERROR,
        run=check_values,
    ),
    Check(
        id="settings-names",
        title="Every `GOODWORD_…` variable is a setting",
        remedy="Correct the name, or remove the variable: the service does not start with it.",
        level=Level.ERROR,
        run=check_names,
    ),
    Check(
        id="settings-effects",
        title="Every setting has an effect",
        remedy="Remove the setting, or set the one that it belongs to.",
        level=Level.WARNING,
        run=check_effects,
    ),
    Check(
        id="environment",
        title="A public service runs in production mode",
        remedy="Set `GOODWORD_ENVIRONMENT=production`, which refuses weak settings.",
        level=Level.WARNING,
        run=check_environment,
    ),
    Check(
        id="rate-limits",
        title="Requests are limited",
        remedy="Remove `GOODWORD_RATE_LIMITS=off`.",
        level=Level.NOTE,
        run=check_rate_limits,
    ),
    Check(
        id="password-hash",
        title="Passwords are hashed at full cost",
        remedy="Set `GOODWORD_PASSWORD_HASH=standard`, or `small` on a machine with little memory.",
        level=Level.NOTE,
        run=check_password_hash,
    ),
    Check(
        id="docs-shown",
        title="The API documentation is not public in production",
        remedy="Remove `GOODWORD_DOCS=on` unless other developers use the API.",
        level=Level.NOTE,
        run=check_docs,
    ),
    Check(
        id="log-requests",
        title="Reads are not logged in production",
        remedy="Remove `GOODWORD_LOG_REQUESTS=all`.",
        level=Level.NOTE,
        run=check_log,
    ),
    Check(
        id="open-files",
        title="A process may open enough files",
        remedy="Raise the limit: `LimitNOFILE=` of systemd, `ulimits` of Compose, or `ulimit -n`.",
        level=Level.WARNING,
        run=check_open_files,
    ),
)
