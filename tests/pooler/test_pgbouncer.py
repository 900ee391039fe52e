"""Goodword behind a real PgBouncer in transaction mode: many clients, three connections to PostgreSQL."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest

from asgi import SECRET
from goodword.db.error_causes import PGBOUNCER
from people import PASSWORD, register
from servers import postgres_server
from serving import free_port, goodword, serving, wait_for_port

AT_ONCE = 12
PEOPLE = 8
FRIENDS = 5


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL behind a pooler of its own, with a default that a transaction of Goodword must not inherit."""
    with postgres_server(
        "--fsync=off", "--default_transaction_isolation=serializable", "--max_connections=20"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def pooled_url(server, tmp_path_factory):
    """The address of the pooler, before a database with the schema in place."""
    program = shutil.which("pgbouncer")
    assert program, "these tests need Debian's pgbouncer: apt-get install pgbouncer"
    folder, port, address = tmp_path_factory.mktemp("pooler"), free_port(), urlsplit(server.url)
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\npostgres = host={address.hostname} port={address.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n"
        "server_login_retry = 1\nserver_connect_timeout = 2\nquery_wait_timeout = 5\n"  # as the guide says
    )
    for path in (folder, *folder.iterdir(), folder.parent, folder.parent.parent):
        path.chmod(0o755)
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None  # it does not run as root
    process = subprocess.Popen([program, "-q", folder / "ini"], user=user, cwd="/")
    try:
        wait_for_port(port)
        migrated = goodword(folder, "migrate", DATABASE_URL=server.url)  # past the pooler, as its guide says
        assert migrated.returncode == 0, migrated.stderr
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def behind(pooled_url, folder):
    settings = {"DATABASE_URL": pooled_url, "PGBOUNCER": "on", "CACHE": "off", "SECRET_KEY": SECRET}
    with serving(folder, RATE_LIMITS="off", **settings) as service:
        yield service.url


async def test_many_at_once_meet_nobody_elses_statements(pooled_url, tmp_path):
    with behind(pooled_url, tmp_path) as url:
        async with httpx2.AsyncClient(base_url=f"{url}/api/v1", timeout=30) as client:
            answers, free = [], asyncio.Semaphore(AT_ONCE)

            async def ask(method, path, token=None, **options):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                async with free:
                    answer = await client.request(method, path, headers=headers, **options)
                answers.append(answer.status_code)
                return answer.json()

            async def live(number):
                account = {"email": f"person{number}@example.com", "password": PASSWORD}
                person = await ask("POST", "/users", json=account)
                token = (await ask("POST", "/sessions", json=account))["access_token"]
                code = (await ask("POST", "/me/referral-codes", token, json={"lifetime": 3600}))["code"]

                async def join(friend):
                    body = {"email": f"friend{number}-{friend}@example.com", "password": PASSWORD}
                    await ask("GET", "/referral-codes/by-email", params={"email": account["email"]})
                    await ask("POST", "/users", json={**body, "referral_code": code})

                await asyncio.gather(*(join(friend) for friend in range(FRIENDS)))
                found = await ask("GET", f"/users/{person['id']}/referrals", token)
                return len(found["items"])

            brought = await asyncio.gather(*(live(number) for number in range(PEOPLE)))

    assert brought == [FRIENDS] * PEOPLE
    assert set(answers) <= {200, 201}


async def test_reads_and_writes_succeed_after_a_restart_of_the_server_behind_it(server, pooled_url, tmp_path):
    with behind(pooled_url, tmp_path) as url:
        async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
            before = await register(client, "before")
            await crash(server)
            answers = [await after(client, f"after{number}") for number in range(3)]

    assert before.status_code == 201
    assert answers == [201] * 3


async def crash(server):
    """Kill a process of PostgreSQL, which then ends all others and starts again."""
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    os.kill(await connection.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
    connection.terminate()


async def after(client, name):
    """Return the status of a sign-up that is repeated as `Retry-After` says."""
    answer = await register(client, name)
    if answer.status_code == 503:
        await asyncio.sleep(float(answer.headers["Retry-After"]))
        return await after(client, name)
    return answer.status_code


def test_a_pooler_that_the_settings_do_not_name_is_recognised(pooled_url, tmp_path):
    done = goodword(tmp_path, "jobs", "list", DATABASE_URL=pooled_url, SECRET_KEY="s" * 32)

    assert done.returncode == 2
    assert "set GOODWORD_PGBOUNCER=on" in done.stderr


@pytest.mark.parametrize(
    ("pgbouncer", "check", "text"),
    [
        ("on", "pooler", "PGBOUNCER says whether there is a pooler."),
        ("off", "database-reachable", PGBOUNCER),
    ],
)
def test_the_doctor_sees_the_pooler(pooled_url, tmp_path, pgbouncer, check, text):
    settings = {"DATABASE_URL": pooled_url, "PGBOUNCER": pgbouncer, "SECRET_KEY": SECRET}

    done = goodword(tmp_path, "doctor", "--json", **settings)

    findings = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings[check]["text"] == text
    assert findings["audit-chain"]["checked"] == (pgbouncer == "on")
    assert done.returncode == int(pgbouncer == "off")
