"""Installations that are broken on purpose: by check, what breaks it and on which databases."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from doctor import broken_data, broken_databases, broken_rewards, broken_services, broken_webhooks
from doctor.patient import Patient

Break = Callable[[Patient], Awaitable[None]]
IN_PRODUCTION = frozenset({"public-address"})
"""Found in production, as the tests serve on loopback alone."""


@dataclass(frozen=True)
class Case:
    check: str
    database: str
    breaks: Break
    others: frozenset[str] = frozenset()
    """Other checks that find something too."""

    def __str__(self) -> str:
        return f"{self.check}-{self.breaks.__name__}-{self.database}"


def setting(**values: str | None) -> Break:
    """Change settings; None removes one."""

    async def changed(patient: Patient) -> None:
        patient.settings |= {name: value for name, value in values.items() if value is not None}
        for name, value in values.items():
            if value is None:
                del patient.settings[name]

    changed.__name__ = "+".join(values)
    return changed


async def other_secret(patient: Patient) -> None:
    (patient.data / "secret_key").write_text("another secret than that of the database, as long")


async def no_secret(patient: Patient) -> None:
    (patient.data / "secret_key").unlink()


async def open_secret(patient: Patient) -> None:
    (patient.data / "secret_key").chmod(0o644)


async def open_env_file(patient: Patient) -> None:
    (patient.folder / ".env").write_text("GOODWORD_METRICS_TOKEN=\nGOODWORD_HUNTER_API_KEY=k\n")
    patient.settings["HUNTER_API_KEY"] = ""
    (patient.folder / ".env").chmod(0o644)


async def data_folder_is_a_file(patient: Patient) -> None:
    file = patient.folder / "file"
    file.touch()
    secret = (patient.data / "secret_key").read_text()
    patient.settings |= {"DATABASE_URL": patient.url, "SECRET_KEY": secret, "DATA_DIR": str(file)}


async def open_data_folder(patient: Patient) -> None:
    patient.data.chmod(0o755)


async def database_as_large_as_the_disk(patient: Patient) -> None:
    disk = os.statvfs(patient.folder)
    os.truncate(patient.database_file, disk.f_blocks * disk.f_frsize)  # sparse: it takes no room


async def old_backup(patient: Patient) -> None:
    changed = patient.backup.stat().st_mtime - 3 * 86_400
    os.utime(patient.backup, (changed, changed))


async def no_backup(patient: Patient) -> None:
    patient.backup.unlink()


async def backups_in_a_file(patient: Patient) -> None:
    (patient.folder / "file").write_text("")
    patient.settings["BACKUP_DIR"] = "file"


async def incomplete_backup(patient: Patient) -> None:
    os.truncate(patient.backup, patient.backup.stat().st_size // 2)


def _case(check: str, breaks: Break, *others: str, on: str = "sqlite") -> list[Case]:
    return [Case(check, database, breaks, frozenset(others)) for database in on.split()]


BOTH = "sqlite postgres"
OF_SETTINGS = [
    *_case("settings-values", setting(PASSWORD_MIN_LENGTH="2")),
    *_case("settings-names", setting(PUBLIC_ULR="http://127.0.0.1")),
    *_case("settings-effects", setting(OIDC_NAME="Acme")),
    *_case("rate-limits", setting(RATE_LIMITS="off")),
    *_case("password-hash", setting(PASSWORD_HASH="fast_for_tests")),
    *_case("docs-shown", setting(ENVIRONMENT="production", DOCS="on"), *IN_PRODUCTION),
    *_case("log-requests", setting(ENVIRONMENT="production", LOG_REQUESTS="all"), *IN_PRODUCTION),
    *_case("public-address", setting(ENVIRONMENT="production")),
    *_case("backup-configured", setting(BACKUP_DIR=None)),
    *_case("mail-configured", setting(SMTP_URL=None)),
]
OF_FILES = [
    *_case("secret-key", no_secret),
    *_case("secret-of-database", other_secret),
    *_case("secret-files", open_secret),
    *_case("secret-files", open_env_file),
    *_case("data-folder", data_folder_is_a_file),
    *_case("data-folder-private", open_data_folder),
    *_case("disk-space", database_as_large_as_the_disk),
    *_case("backup-configured", backups_in_a_file, "backup-age"),
    *_case("backup-age", old_backup),
    *_case("backup-age", no_backup),
    *_case("backup-opens", incomplete_backup),
]
CASES = [
    *OF_SETTINGS,
    *OF_FILES,
    *(case for check, on, breaks in broken_databases.CASES for case in _case(check, breaks, on=on)),
    *(case for check, on, breaks in broken_data.CASES for case in _case(check, breaks, on=on)),
    *(case for check, on, breaks in broken_rewards.CASES for case in _case(check, breaks, on=on)),
    *(case for check, on, breaks in broken_webhooks.CASES for case in _case(check, breaks, on=on)),
    *(case for check, others, breaks in broken_services.CASES for case in _case(check, breaks, *others)),
]
