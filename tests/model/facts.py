"""What stands in the tables: in the form of `Model.facts`, and as the eight invariants ask for it."""

from collections import Counter
from typing import Any

from sqlalchemy import select, text

from goodword.codes.models import ReferralCode
from goodword.db.database import Database
from goodword.jobs.models import Job
from goodword.referrals.models import Referral
from goodword.sessions.models import UserSession
from goodword.users.models import User

PROMISES = ("verify_email", "notice", "friend_joined")

USERS = select(User.id, User.status, User.email_key, User.first_name, User.verified_at)
SESSIONS = select(
    UserSession.id,
    UserSession.user_id,
    UserSession.counter,
    UserSession.revoked_reason,
    UserSession.idle_expires_at,
    UserSession.expires_at,
)
CODES = select(
    ReferralCode.code,
    ReferralCode.owner_id,
    ReferralCode.created_at,
    ReferralCode.expires_at,
    ReferralCode.activated_at,
    ReferralCode.retired_reason,
    ReferralCode.deleted_at,
    ReferralCode.max_uses,
    ReferralCode.uses,
    ReferralCode.discoverable,
)
REFERRALS = select(Referral.referrer_id, Referral.referee_id, ReferralCode.code, Referral.created_at).join(
    ReferralCode, ReferralCode.id == Referral.code_id
)
JOBS = select(Job.kind, Job.user_id).where(Job.kind.in_(PROMISES))

INVARIANTS = {
    "I1: two codes in force": """SELECT owner_id FROM referral_codes
        WHERE activated_at IS NOT NULL AND retired_at IS NULL GROUP BY owner_id, program_id HAVING count(*) > 1""",
    "I2: two referrers": """SELECT referee_id FROM referrals
        GROUP BY referee_id, program_id HAVING count(*) > 1""",
    "I2: two people referred each other": """SELECT a.id FROM referrals a JOIN referrals b
        ON b.referrer_id = a.referee_id AND b.referee_id = a.referrer_id AND b.program_id = a.program_id""",
    "I2: the code of another program": """SELECT r.id FROM referrals r
        JOIN referral_codes c ON c.id = r.code_id WHERE c.program_id <> r.program_id""",
    "I2: referred by themself": "SELECT referee_id FROM referrals WHERE referrer_id = referee_id",
    "I3: joined with a code that did not work": """SELECT r.id FROM referrals r
        JOIN referral_codes c ON c.id = r.code_id
        WHERE c.owner_id <> r.referrer_id OR c.activated_at IS NULL OR r.created_at < c.activated_at
        OR r.created_at >= c.expires_at OR r.created_at > c.retired_at""",
    "I3: uses that are not referrals": """SELECT c.id FROM referral_codes c
        WHERE c.uses <> (SELECT count(*) FROM referrals r WHERE r.code_id = c.id) OR c.uses > c.max_uses""",
    "I6: two accounts of one address": """SELECT min(status) FROM users WHERE email_key IS NOT NULL
        GROUP BY email_key HAVING count(*) > 1""",
    "I8: a live session of somebody who is out": """SELECT s.id FROM sessions s
        JOIN users u ON u.id = s.user_id WHERE s.revoked_at IS NULL AND u.status <> 'active'""",
}
BROKEN = text(
    " UNION ALL ".join(
        f"SELECT '{name}' AS rule WHERE EXISTS ({query})" for name, query in INVARIANTS.items()
    )
)
"""Those of the eight that SQL can say. I4, and the events of I5, are `Model.facts` against `read`: every
promise is a job and every job was promised. I2 and I7 over time are in `World.check`. The rows of the audit
(I5) belong into `facts` of both, as `outbox` is there: one entry for each effect, under the effect's name.
"""


async def read(database: Database, *, but: str) -> dict[str, Any]:
    """All but what belongs to one person, who administers and is no part of the model."""
    async with database.readers() as session:
        users, sign_ins, codes, referrals, jobs = [
            (await session.execute(query)).all() for query in (USERS, SESSIONS, CODES, REFERRALS, JOBS)
        ]
    return {
        "accounts": {
            str(row.id): (row.status, row.email_key, row.first_name, row.verified_at is not None)
            for row in users
            if str(row.id) != but
        },
        "sessions": {
            str(row.id): (
                str(row.user_id),
                row.counter,
                row.revoked_reason,
                min(row.idle_expires_at, row.expires_at),
            )
            for row in sign_ins
            if str(row.user_id) != but
        },
        "codes": Counter(
            (
                row.code,
                str(row.owner_id),
                row.created_at,
                row.expires_at,
                row.activated_at is not None,
                row.retired_reason,
                row.deleted_at is not None,
                row.max_uses,
                row.uses,
                row.discoverable,
            )
            for row in codes
        ),
        "referrals": Counter(
            (str(row.referrer_id), str(row.referee_id), row.code, row.created_at) for row in referrals
        ),
        "outbox": Counter((row.kind, str(row.user_id)) for row in jobs if str(row.user_id) != but),
    }


async def broken_rules(database: Database) -> list[str]:
    """The invariants that do not hold."""
    return [row.rule for row in await database.rows(BROKEN)]


def difference(model: dict[str, Any], tables: dict[str, Any]) -> str | None:
    """In what they differ, if they do."""
    for name, expected in model.items():
        if expected != tables[name]:
            ours, theirs = set(expected.items()), set(tables[name].items())
            return f"{name}: the model has {ours - theirs}, the tables {theirs - ours}"
    return None
