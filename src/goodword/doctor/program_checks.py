"""Checks of programs and of the keys with which the servers of a product call the API."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from goodword.api_keys.models import ApiKey
from goodword.doctor.findings import Check, Finding, Level, note, ok, warning
from goodword.doctor.installation import Installation
from goodword.programs.models import Program, ProgramStatus

SOON = timedelta(days=14)


async def check_targets(installation: Installation) -> Finding:
    await installation.migrated()
    query = select(Program.slug).where(
        Program.link_target.ilike("http:%"), Program.status != ProgramStatus.ENDED
    )
    slugs = [row.slug for row in await installation.rows(query.order_by(Program.slug))]
    if not slugs:
        return ok("Links lead to pages with TLS.")
    text = f"Links lead to pages without TLS: {', '.join(slugs)}."
    return warning(text) if installation.in_production else note(text)


async def check_keys(installation: Installation) -> Finding:
    await installation.migrated()
    query = select(ApiKey.name).where(
        ApiKey.revoked_at.is_(None), ApiKey.expires_at < installation.now() + SOON
    )
    names = [row.name for row in await installation.rows(query.order_by(ApiKey.expires_at))]
    if names:
        return note(f"They end within 14 days, or have ended: {', '.join(names)}.")
    return ok("No key ends within 14 days.")


CHECKS: Sequence[Check] = (
    Check(
        id="link-targets",
        title="The links of programs lead to pages with TLS",
        remedy="Change `link_target` of the program to an `https` address.",
        level=Level.WARNING,
        run=check_targets,
    ),
    Check(
        id="api-keys",
        title="No API key ends within 14 days",
        remedy="Make another one with `goodword api-key create`, and revoke the one that ends.",
        level=Level.NOTE,
        run=check_keys,
    ),
)
