"""Measure `goodword export` and `goodword import`: their time and their peak memory, on PostgreSQL.

    make bench-move PEOPLE=1000000

Each user has a code and, but for the first hundred, a referrer. They are exported from one database and imported into
another.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from anyio import run

from goodword import migrations
from goodword.crypto import derive_key, hmac_of
from servers import postgres_server
from serving import GOODWORD, environment

SECRET = "a secret of forty characters for a bench."
BATCH = 20_000
COLUMNS = {
    "users": "id created_at email email_key email_canonical password_hash first_name status is_admin language verified_at",
    "referral_codes": "id created_at owner_id code key key_mac kind expires_at activated_at uses discoverable",
    "referrals": "id created_at referrer_id referee_id code_id status confirmed_at",
}


async def fill(url: str, people: int) -> None:
    """Insert the users with their codes and referrals."""
    from datetime import UTC, datetime, timedelta
    from uuid import UUID

    key, began = derive_key(SECRET.encode(), "referral code strings"), datetime.now(UTC) - timedelta(days=300)
    hashed = (
        "$argon2id$v=19$m=19456,t=2,p=1$QMgtXQ58SC6/K95QsG3BYg$DXaBZIUJuN12XOuYHk1UbG4EPFpqEmxIzrv9Z317kTg"
    )

    def at(number: int) -> datetime:
        return began + timedelta(seconds=number)

    def uid(kind: int, number: int) -> UUID:
        return UUID(
            int=(int(at(number).timestamp() * 1000) << 80) | 0x7000 << 64 | 0x8 << 60 | kind << 40 | number
        )

    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for first in range(0, people, BATCH):
            numbers = range(first, min(first + BATCH, people))
            rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in COLUMNS}
            for n in numbers:
                email, code = f"person{n}@example.org", f"{n * 173205080757 & 0xFFFFFFFFFF:010X}"
                friend = n // 2
                rows["users"].append(
                    (uid(1, n), at(n), email, email, email, hashed, "Ann", "active", False, "en", at(n))
                )
                mac, uses = (
                    hmac_of(key, code.encode()),
                    sum(100 <= one < people for one in (2 * n, 2 * n + 1)),
                )
                until = at(n) + timedelta(days=365)
                rows["referral_codes"].append(
                    (uid(2, n), at(n), uid(1, n), code, code, mac, "generated", until, at(n), uses, True)
                )
                if n >= 100:
                    rows["referrals"].append(
                        (uid(3, n), at(n), uid(1, friend), uid(1, n), uid(2, friend), "confirmed", at(n))
                    )
            for table, names in COLUMNS.items():
                await connection.copy_records_to_table(table, records=rows[table], columns=names.split())
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def measure(folder: Path, database: str, *arguments: str) -> None:
    """Run a command, and print its time and its peak memory."""
    settings = {"DATABASE_URL": database, "SECRET_KEY": SECRET, "PASSWORD_HASH": "standard"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [GOODWORD, *arguments], cwd=folder, env=environment(folder, **settings), stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{arguments} failed")
    took = time.perf_counter() - began
    print(
        f"{arguments[0]:8} {took:7.1f} s  {usage.ru_maxrss / 1024:6.0f} MiB at most  {usage.ru_utime:6.1f} s of CPU"
    )


def main() -> None:
    """Fill a database, export it and import it into another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    people = parser.parse_args().people
    with postgres_server() as one, postgres_server() as other, TemporaryDirectory() as name:
        for server in (one, other):
            run(migrations.upgrade, server.url)
        run(fill, one.url, people)
        print(f"{people:,} people with codes and referrals")
        measure(Path(name), one.url, "export", "people.ndjson", "--with-password-hashes")
        print(f"{(Path(name) / 'people.ndjson').stat().st_size / 1e6:,.0f} MB")
        measure(Path(name), other.url, "import", "people.ndjson")
        measure(Path(name), other.url, "export", "again.ndjson", "--with-password-hashes")
        again = (Path(name) / "again.ndjson").read_bytes() == (Path(name) / "people.ndjson").read_bytes()
        print("the export of the imported users is", "the same" if again else "different")


if __name__ == "__main__":
    main()
