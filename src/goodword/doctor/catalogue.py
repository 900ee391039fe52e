"""All checks, in the order in which they are shown."""

from collections.abc import Sequence

from goodword.doctor import (
    cache_checks,
    database_checks,
    file_checks,
    mail_checks,
    postgres_checks,
    program_checks,
    provider_checks,
    public_checks,
    reward_checks,
    safety_checks,
    settings_checks,
    webhook_checks,
    work_checks,
)
from goodword.doctor.findings import Check

CHECKS: Sequence[Check] = (
    *settings_checks.CHECKS,
    *file_checks.CHECKS,
    *database_checks.CHECKS,
    *postgres_checks.CHECKS,
    *cache_checks.CHECKS,
    *work_checks.CHECKS,
    *program_checks.CHECKS,
    *reward_checks.CHECKS,
    *webhook_checks.CHECKS,
    *safety_checks.CHECKS,
    *mail_checks.CHECKS,
    *provider_checks.CHECKS,
    *public_checks.CHECKS,
)
