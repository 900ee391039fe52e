"""A past for a served Goodword: people who came over the last thirty days, and who brought whom."""

import random
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

NAMES = ("Ada", "Boris", "Chloé", "Dmitri", "Élise", "Farid", "Greta", "Hana", "Иван", "Juno", "Kofi", "Lena")

DEAD = {
    "verify_email": "the mail server refused it for good (550)",
    "notice": "TimeoutError in delivery.py:61",
}


def id_of(at: datetime) -> str:
    """As the service makes them: UUIDv7, which begins with the milliseconds (RFC 9562 §5.7)."""
    low = random.getrandbits(62) | 0b10 << 62
    return uuid.UUID(
        int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | random.getrandbits(12) << 64 | low
    ).hex


def written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def give_past(folder: Path, *, of: str, code: str, people: int) -> None:
    """Let the owner `of` a `code` have brought people, who brought others; half of all came alone."""
    random.seed(7)
    now = datetime.now(UTC)
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database, database:
        ((owner,),) = database.execute("SELECT id FROM users WHERE email = ?", (of,))
        ((code_id,),) = database.execute("SELECT id FROM referral_codes WHERE code = ?", (code,))
        brought = [owner]
        for number in range(people):
            joined = now - timedelta(days=29.5 * (1 - (number / people) ** 0.6))
            user, name = id_of(joined), NAMES[number % len(NAMES)]
            email = f"f{number}.{of}"
            status = "disabled" if number % 17 == 5 else "active"
            database.execute(
                "INSERT INTO users (id, created_at, email, email_key, email_canonical, first_name, last_name,"
                " status) VALUES (?, ?, ?, ?, ?, ?, 'Smith', ?)",
                (user, written(joined), email, email, email, name, status),
            )
            if number % 2:
                referrer = random.choice(brought[:6])
                status = "rejected" if number % 23 == 5 else "confirmed" if number % 5 else "pending"
                database.execute(
                    "INSERT INTO referrals (id, created_at, referrer_id, referee_id, code_id, status)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (id_of(joined), written(joined), referrer, user, code_id, status),
                )
                brought.append(user)
        for kind, error in DEAD.items():
            database.execute(
                "INSERT INTO jobs (id, created_at, kind, payload, run_at, attempts, finished_at, outcome, error,"
                " user_id) VALUES (?, ?, ?, '{}', ?, 10, ?, 'dead', ?, ?)",
                (id_of(now), written(now), kind, written(now), written(now), error, owner),
            )
