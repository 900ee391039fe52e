import shutil
import sqlite3
from contextlib import AsyncExitStack, closing

import pytest
from redis import Redis

from doctor.patient import Patient
from fresh_database import fresh_database
from goodword import migrations
from goodword.audit import hash_chain
from goodword.db.database import Database
from goodword.services import DerivedKeys
from mail_server import mail_server
from serving import goodword, serving

SECRET = "a secret that only the tests know, long enough"


@pytest.fixture(scope="session")
def doctors_mail_server():
    with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
def service(migrated, tmp_path_factory):
    """Run a service that answers at PUBLIC_URL, and yield the address. It has a database of its own, which the doctor does not ask about."""
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("service"), dirs_exist_ok=True)
    with serving(folder) as served:
        yield served.url


@pytest.fixture(scope="session")
async def healthy(migrated, tmp_path_factory):
    """Return the folder of an installation with an administrator, a sealed audit log and a backup."""
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("healthy"), dirs_exist_ok=True)
    await _complete(folder, f"sqlite+aiosqlite:///{folder}/data/goodword.sqlite3")
    (folder / "backups").mkdir()
    assert goodword(folder, "backup", "backups/goodword-2026-11-28.backup").returncode == 0
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture(scope="session")
async def healthy_postgres(postgres_url, tmp_path_factory):
    """Yield the name of a database like that of `healthy`, to be copied."""
    async with fresh_database(postgres_url) as url:
        await migrations.upgrade(url)
        await _complete(tmp_path_factory.mktemp("postgres"), url, DATABASE_URL=url, SECRET_KEY=SECRET)
        yield url.rpartition("/")[2]


async def _complete(folder, url, **settings):
    arguments = ("admin", "create", "rita@example.com", "--password-stdin")
    done = goodword(folder, *arguments, stdin="correct horse battery staple", **settings)
    assert done.returncode == 0, done.stderr
    secret = settings.get("SECRET_KEY") or (folder / "data" / "secret_key").read_text()
    database = Database(url)
    await hash_chain.seal(database, DerivedKeys.derive(secret.encode()).audit)
    await database.close()


@pytest.fixture
def patients_database(request):
    """Return the URL of the server and the name of the database to copy, or None for SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    return request.getfixturevalue("postgres_url"), request.getfixturevalue("healthy_postgres")


@pytest.fixture
async def patient(
    patients_database, tmp_path, healthy, service, doctors_mail_server, valkey_server, monkeypatch
):
    """Yield an installation without a fault, of its own, on the database that `patients_database` names."""
    shutil.copytree(healthy, tmp_path, dirs_exist_ok=True)
    settings = {
        "PASSWORD_HASH": "standard",
        "BACKUP_DIR": "backups",
        "PUBLIC_URL": service,
        "REDIS_URL": valkey_server.url,
        "SMTP_URL": f"smtp://127.0.0.1:{doctors_mail_server.port}?tls=off",
    }
    url = f"sqlite+aiosqlite:///{tmp_path}/data/goodword.sqlite3"
    async with AsyncExitStack() as held:
        if patients_database:
            postgres_url, template = patients_database
            url = await held.enter_async_context(fresh_database(postgres_url, template=template))
            settings |= {"DATABASE_URL": url, "SECRET_KEY": SECRET}
        redis = held.enter_context(Redis.from_url(valkey_server.url))
        yield Patient(tmp_path, settings, url, doctors_mail_server, redis, monkeypatch, held)
        doctors_mail_server.on_sender = None
