"""Goodword behind a real PgBouncer in transaction mode: many clients, three connections to PostgreSQL."""

import asyncio
import os
import pwd
import shutil
import subprocess
from urllib.parse import urlsplit

import httpx2
import pytest

from people import PASSWORD
from serving import free_port, goodword, serving, wait_for_port

FRIENDS = 40
PEOPLE = 8


@pytest.fixture(scope="module")
def pooled_url(postgres_url, tmp_path_factory):
    """The address of the pooler, before the database of this session, with the schema in place."""
    program = shutil.which("pgbouncer")
    assert program, "these tests need Debian's pgbouncer: apt-get install pgbouncer"
    folder, port, server = tmp_path_factory.mktemp("pooler"), free_port(), urlsplit(postgres_url)
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\npostgres = host={server.hostname} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n"
    )
    for path in (folder, *folder.iterdir(), folder.parent, folder.parent.parent):
        path.chmod(0o755)
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None  # it does not run as root
    process = subprocess.Popen([program, "-q", folder / "ini"], user=user, cwd="/")
    try:
        wait_for_port(port)
        migrated = goodword(
            folder, "migrate", DATABASE_URL=postgres_url
        )  # past the pooler, as its guide says
        assert migrated.returncode == 0, migrated.stderr
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(timeout=10)


async def test_many_at_once_meet_nobody_elses_statements(pooled_url, tmp_path):
    secret = "a secret that only the tests know, long enough"
    settings = {"DATABASE_URL": pooled_url, "PGBOUNCER": "on", "CACHE": "off", "SECRET_KEY": secret}
    with serving(tmp_path, "--workers", "2", **settings) as service:
        async with httpx2.AsyncClient(base_url=f"{service.url}/api/v1", timeout=30) as client:
            answers = []

            async def ask(method, path, token=None, **options):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
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

                await asyncio.gather(*(join(friend) for friend in range(FRIENDS // PEOPLE)))
                found = await ask("GET", f"/users/{person['id']}/referrals", token)
                return len(found["items"])

            brought = await asyncio.gather(*(live(number) for number in range(PEOPLE)))

    assert brought == [FRIENDS // PEOPLE] * PEOPLE
    assert set(answers) <= {200, 201}


def test_a_pooler_that_the_settings_do_not_name_is_recognised(pooled_url, tmp_path):
    done = goodword(tmp_path, "jobs", "list", DATABASE_URL=pooled_url, SECRET_KEY="s" * 32)

    assert done.returncode == 2
    assert "set GOODWORD_PGBOUNCER=on" in done.stderr
