"""The list of rewards for administrators: its statement, columns and search."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from goodword.admin import service
from goodword.admin.listing import Column, Table
from goodword.admin.tables import Conditions, name_of
from goodword.languages import to_translate
from goodword.money import decimal_of
from goodword.programs.models import Program
from goodword.rewards.models import Reward, RewardRule
from goodword.users.models import User


def amount(row: Any, name: str) -> object:
    """Return an amount of a reward in major units, or in points."""
    reward, minor = row.Reward, getattr(row.Reward, name)
    return minor if reward.currency is None else decimal_of(minor, reward.currency)


REWARDS = Table(
    "rewards",
    select(Reward, User, Program, RewardRule.description, Reward.id.label("row_id"))
    .join(User, User.id == Reward.user_id)
    .join(Program, Program.id == Reward.program_id)
    .join(RewardRule, RewardRule.id == Reward.rule_version_id),
    Reward.id,
    (
        Column("amount", to_translate("Amount"), lambda row: amount(row, "amount_minor"), is_number=True),
        Column("left", to_translate("Left"), lambda row: amount(row, "remaining_minor"), is_shown=False),
        Column("currency", to_translate("Currency"), lambda row: row.Reward.currency, is_shown=False),
        Column("person", to_translate("Person"), lambda row: name_of(row.User)),
        Column("for", to_translate("For"), lambda row: row.Reward.beneficiary, Reward.beneficiary),
        Column("kind", to_translate("Kind"), lambda row: row.Reward.kind, Reward.kind),
        Column("status", to_translate("Status"), lambda row: row.Reward.status, Reward.status),
        Column("available", to_translate("Available from"), lambda row: row.Reward.available_at),
        Column("program", to_translate("Program"), lambda row: row.Program.slug, Program.slug),
        Column("earned", to_translate("Earned"), lambda row: row.Reward.created_at, Reward.id),
        Column(
            "reference", to_translate("Reference"), lambda row: row.Reward.external_reference, is_shown=False
        ),
        Column("reward", to_translate("Reward"), lambda row: row.description, is_shown=False),
        Column("id", to_translate("ID"), lambda row: row.Reward.id, is_shown=False),
    ),
    default="-earned",
)


async def find_rewards(
    session: AsyncSession, text: str, status: str, *, programs: Iterable[Program]
) -> Conditions:
    """Return the condition for the rewards of a program with this slug, or of the user with this address or id."""
    filters = [Reward.status == status] if status else []
    if not text:
        return [], filters
    by_slug: Mapping[str, Program] = {program.slug: program for program in programs}
    if program := by_slug.get(text):
        return [Reward.program_id == program.id], filters
    if user := await service.find(session, text):
        return [Reward.user_id == user.id], filters
    return [], [service.contains(text), *filters]
