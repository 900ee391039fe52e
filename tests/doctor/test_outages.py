"""`goodword doctor` while what it asks is away, hangs, or has secrets to tell."""

import json
import os
import re
from socket import create_server

from doctor.patient import wrong
from doctor.sites import site
from servers import postgres_server, postgres_standby, valkey_group
from serving import goodword

HUNG = {
    *("database-reachable", "cache-reachable", "hunter-key", "sign-in-providers"),
    *("public-answer",),
}
SECRETS = {
    "SECRET_KEY": "canary-of-the-secret-key, which is long",
    "REDIS_URL": "redis://goodword:canary-of-redis@127.0.0.1:1/0",
    "SMTP_URL": "smtp://canary-user:canary-of-mail@127.0.0.1:1",
    "DATABASE_URL": "postgresql+asyncpg://goodword:canary-of-the-database@127.0.0.1:1/goodword",
    "REPLICA_URL": "postgresql+asyncpg://goodword:canary-of-the-replica@127.0.0.1:1/goodword",
    "HUNTER_API_KEY": "canary-of-hunter",
    "OIDC_CLIENT_ID": "canary-client",
    "OIDC_CLIENT_SECRET": "canary-of-oidc",
    "METRICS_TOKEN": "canary-of-metrics",
}


async def test_it_ends_when_everything_hangs(patient):
    silent = patient.held.enter_context(create_server(("127.0.0.1", 0), backlog=100))  # accepts nothing
    place = f"127.0.0.1:{silent.getsockname()[1]}"
    patient.settings |= {
        "DATABASE_URL": f"postgresql+asyncpg://postgres@{place}/goodword",
        "REPLICA_URL": f"postgresql+asyncpg://postgres@{place}/goodword",
        "SECRET_KEY": "a secret that only the tests know, long enough",
        "REDIS_URL": f"redis://{place}/0",
        "SMTP_URL": f"smtp://goodword:password@{place}",
        "HUNTER_API_KEY": "key",
        "HUNTER_URL": f"http://{place}",
        "OIDC_ISSUER": f"http://{place}",
        "OIDC_CLIENT_ID": "goodword",
        "OIDC_CLIENT_SECRET": "secret",
        "PUBLIC_URL": f"http://{place}",
    }

    findings = patient.findings()

    assert wrong(findings) == HUNG
    assert not findings["mail-login"]["checked"]
    assert not findings["administrators"]["checked"]
    assert findings["backup-opens"]["level"] == "ok"


async def test_it_ends_when_a_disk_hangs(patient):
    secret = patient.data / "secret_key"
    secret.unlink()
    os.mkfifo(secret)  # opening it waits for a writer

    findings = patient.findings()

    secret.write_text("")  # ends the thread that waits
    assert wrong(findings) == {"settings-values"}
    assert "cannot be read in time" in findings["settings-values"]["text"]


async def test_the_database_is_away_and_the_other_checks_go_on(patient):
    patient.database_file.unlink()

    findings = patient.findings()

    assert wrong(findings) == {"database-reachable"}
    assert findings["worker"]["text"] == "Not checked: the database cannot be reached."
    assert findings["cache-writable"]["level"] == "ok"
    assert not patient.database_file.exists(), "it made a database"


async def test_no_secret_is_shown(patient):
    port = patient.held.enter_context(site(b"canary of the site", status=401))
    patient.settings |= SECRETS | {"HUNTER_URL": f"http://127.0.0.1:{port}"}
    patient.settings |= {"OIDC_ISSUER": f"http://127.0.0.1:{port}"}

    for form in ([], ["--json"]):
        done = goodword(patient.folder, "doctor", *form, **patient.settings)

        assert "hunter-key" in done.stdout
        assert not re.search("canary|rita@", done.stdout + done.stderr)


async def test_nothing_is_known_with_invalid_settings_but_what_is_wrong(patient):
    patient.settings["DATABASE_URL"] = "mysql://goodword:canary@127.0.0.1/goodword"

    findings = patient.findings()

    assert wrong(findings) == {"settings-values"}
    assert "GOODWORD_DATABASE_URL" in findings["settings-values"]["text"]
    assert "canary" not in findings["settings-values"]["text"]


def test_a_replica_and_a_primary_behind_sentinels_are_recognised(folder):
    password = "of-the-group"
    with postgres_server("--fsync=off") as primary, valkey_group(password) as group:
        settings = {
            "DATABASE_URL": primary.url,
            "SECRET_KEY": "a secret that only the tests know, long enough",
            "REDIS_URL": f"redis+sentinel://:{password}@{group.sentinel}/group/0?sentinel_password={password}",
        }
        assert goodword(folder, "migrate", **settings).returncode == 0
        with postgres_standby(primary) as standby:
            found = {}
            for name, url in (("standby", standby.url), ("primary", primary.url)):
                done = goodword(folder, "doctor", "--json", **settings, REPLICA_URL=url)
                found[name] = {one["id"]: one["text"] for one in json.loads(done.stdout)["findings"]}

    assert found["standby"]["replica"] == "The replica has what the primary has."
    assert found["standby"]["cache-writable"] == "The cache takes writes."
    assert found["primary"]["replica"] == "REPLICA_URL is not a replica."
