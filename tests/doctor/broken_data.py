"""Breaks of what a database holds, by check and database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update

from audit_table import unguarded
from doctor.patient import Patient
from goodword.api_keys.models import ApiKey
from goodword.audit.models import AuditEvent
from goodword.db.statements import insert
from goodword.jobs.models import Job
from goodword.privacy.models import Tombstone
from goodword.programs.models import Program
from goodword.providers.models import ProviderState
from goodword.rate_limits.models import Quota
from goodword.sessions.models import SigningKey
from goodword.users.models import User


def ago(**amount: float) -> datetime:
    return datetime.now(UTC) - timedelta(**amount)


async def add(patient: Patient, model: type[Any], **values: object) -> None:
    async with patient.transaction() as session:
        await insert(session, model, **{"created_at": ago(), **values})


async def late_job(patient: Patient) -> None:
    await add(patient, Job, kind="purge_quotas", payload="{}", run_at=ago(hours=1))


async def dead_job(patient: Patient) -> None:
    moment = ago(minutes=1)
    await add(
        patient, Job, kind="purge_quotas", payload="{}", run_at=moment, finished_at=moment, outcome="dead"
    )


async def failing_job(patient: Patient) -> None:
    await add(patient, Job, kind="purge_quotas", payload="{}", run_at=ago(hours=-1), attempts=4)


async def old_quota(patient: Patient) -> None:
    await add(patient, Quota, scope_mac=bytes(32), used=1, ends_at=ago(days=9))


async def unsealed_event(patient: Patient) -> None:
    await add(
        patient,
        AuditEvent,
        action="keys_rotated",
        actor="operator",
        subject="key",
        details="{}",
        created_at=ago(hours=1),
    )


async def changed_event(patient: Patient) -> None:
    async with patient.transaction() as session, unguarded(session):
        await session.execute(text("UPDATE audit_events SET actor = 'system'"))


async def forgotten_tombstone(patient: Patient) -> None:
    await add(patient, Tombstone, user_mac=bytes(32))


async def no_administrator(patient: Patient) -> None:
    await patient.execute(update(User).values(is_admin=False))


async def unverified_administrator(patient: Patient) -> None:
    await patient.execute(update(User).values(verified_at=None))


async def old_keys(patient: Patient) -> None:
    await patient.execute(update(SigningKey).values(created_at=ago(days=500)))


async def target_without_tls(patient: Patient) -> None:
    await patient.execute(update(Program).values(link_target="http://acme.example/{code}"))


async def ending_key(patient: Patient) -> None:
    await add(patient, ApiKey, name="acme", key_mac=bytes(32), scope="events:read", expires_at=ago(days=-13))


async def paused_provider(patient: Patient) -> None:
    await add(
        patient, ProviderState, name="hunter verifier", failures=9, free_at=ago(), open_until=ago(hours=-1)
    )


CASES = [
    ("worker", "sqlite postgres", late_job),
    ("jobs-dead", "sqlite", dead_job),
    ("jobs-failing", "sqlite", failing_job),
    ("retention", "sqlite postgres", old_quota),
    ("audit-sealed", "sqlite", unsealed_event),
    ("audit-chain", "sqlite postgres", changed_event),
    ("tombstones", "sqlite postgres", forgotten_tombstone),
    ("administrators", "sqlite postgres", no_administrator),
    ("administrators", "sqlite", unverified_administrator),
    ("signing-keys", "sqlite postgres", old_keys),
    ("link-targets", "sqlite postgres", target_without_tls),
    ("api-keys", "sqlite postgres", ending_key),
    ("providers-paused", "sqlite", paused_provider),
]
