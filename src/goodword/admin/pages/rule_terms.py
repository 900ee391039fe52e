"""The terms of a reward rule as texts of a form: amounts in major units, percentages, days, and local times."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from goodword.money import decimal_of, minor_units
from goodword.programs.fields import DAY
from goodword.programs.models import Program
from goodword.rewards import calculation
from goodword.rewards.models import RewardKind, RewardRule
from goodword.rewards.schemas import MAX_TIERS, RuleWrite

FIELDS = (
    "trigger", "beneficiary", "kind", "description", "amount_minor", "basis_points", "tiers", "min_amount_minor",
    "max_events", "within", "cap_count", "cap_per", "starts_at", "ends_at", "hold", "approval",
)  # fmt: skip
TIER_FIELDS = ("from", "amount_minor", "basis_points")
DEFAULTS = {"trigger": "purchase", "hold": "14"}
LOCAL = "%Y-%m-%dT%H:%M"
"""A time of an input of the type `datetime-local`."""
ROWS = 5
"""Rows of tiers in a form, and how many more a press of the button adds."""
_OF_RULE = {"amount_ambiguous": "amount_minor", "tiers_unordered": "tiers", "period_invalid": "ends_at"}
"""The fields beside which errors of the whole rule are shown."""
_PERCENT = "USD"
"""A percentage has two decimals, as this currency."""


def tier_name(row: int, field: str) -> str:
    """Return the name of a field of a tier."""
    return f"tier_{row}_{field}"


def names(rows: int) -> tuple[str, ...]:
    """Return the names of all fields of a form with so many rows of tiers."""
    return (*FIELDS, *(tier_name(row, field) for row in range(rows) for field in TIER_FIELDS))


def rows_of(given: Mapping[str, str]) -> int:
    """Return how many rows of tiers a form has."""
    shown = minor_units(given.get("rows", ""), None) or ROWS
    used = [row for row in range(MAX_TIERS) if any(tier_name(row, field) in given for field in TIER_FIELDS)]
    return min(max(shown, ROWS, *(row + 1 for row in used)), MAX_TIERS)


def percent(basis_points: int | None) -> str:
    """Return basis points as a percentage, such as `7.5`."""
    return "" if basis_points is None else f"{decimal_of(basis_points, _PERCENT).normalize():f}"


def texts_of(rule: RewardRule, program: Program) -> dict[str, str]:
    """Return the texts of the terms of a version."""
    unit = _unit(rule.kind, program)
    texts = {
        "trigger": rule.trigger,
        "beneficiary": rule.beneficiary,
        "kind": rule.kind,
        "description": rule.description or "",
        "amount_minor": _amount(rule.amount_minor, unit),
        "basis_points": percent(rule.basis_points),
        "min_amount_minor": _amount(rule.min_amount_minor, program.currency),
        "max_events": str(rule.max_events or ""),
        "within": _days(rule.within_seconds),
        "cap_count": str(rule.cap_count or ""),
        "cap_per": rule.cap_per or "",
        "starts_at": _local(rule.starts_at, program),
        "ends_at": _local(rule.ends_at, program),
        "hold": _days(rule.hold_seconds),
        "approval": rule.approval,
    }
    for row, tier in enumerate(calculation.tiers_of(rule)):
        texts[tier_name(row, "from")] = str(tier["from"])
        texts[tier_name(row, "amount_minor")] = _amount(tier.get("amount_minor"), unit)
        texts[tier_name(row, "basis_points")] = percent(tier.get("basis_points"))
    return {name: text for name, text in texts.items() if text}


def read(
    given: Mapping[str, str], program: Program, former: RewardRule | None
) -> tuple[RuleWrite | None, Mapping[str, str]]:
    """Return the terms in a form, or None and the codes of the errors by field.

    A time or period whose text is still that of the former version keeps its value: texts have minutes and rounded
    days.
    """
    form = _Form({name: text.strip() for name, text in given.items()}, program, former)
    terms, rows = form.terms()
    try:
        body = RuleWrite.model_validate(terms)
    except ValidationError as error:
        found = {
            name: one["type"]
            for one in reversed(error.errors(include_input=False))
            if (name := _name_of(one["loc"], one["type"], rows)) is not None
            # A value that could not be read is not missing.
            and not (form.errors and one["type"] == "amount_ambiguous")
        }
        return None, found | form.errors
    return (None, form.errors) if form.errors else (body, {})


class _Form:
    """Reads the values of a form. The schema reports what is wrong with those that can be read."""

    def __init__(self, texts: Mapping[str, str], program: Program, former: RewardRule | None) -> None:
        self.errors: dict[str, str] = {}
        self._texts, self._program, self._former = texts, program, former
        self._kept = texts_of(former, program) if former else {}
        self._unit = _unit(texts.get("kind", ""), program)

    def terms(self) -> tuple[dict[str, Any], Sequence[int]]:
        """Return the terms that are given, and the row of each tier."""
        tiers = sorted(self._tiers(), key=lambda tier: tier[1].get("from", 0))
        terms: dict[str, Any] = {
            name: self._texts.get(name) or None
            for name in ("trigger", "beneficiary", "kind", "description", "approval")
        } | {
            "amount_minor": self._minor("amount_minor", self._unit),
            "basis_points": self._share("basis_points"),
            "tiers": [tier for _, tier in tiers] or None,
            "min_amount_minor": self._minor("min_amount_minor", self._program.currency),
            "max_events": self._minor("max_events", None),
            "within": self._seconds("within", "within_seconds"),
            "hold": self._seconds("hold", "hold_seconds"),
            "starts_at": self._instant("starts_at"),
            "ends_at": self._instant("ends_at"),
        }
        if (count := self._minor("cap_count", None)) is not None:
            terms["cap"] = {"count": count, "per": self._texts.get("cap_per")}
        return {name: value for name, value in terms.items() if value is not None}, [row for row, _ in tiers]

    def _tiers(self) -> list[tuple[int, dict[str, int]]]:
        found = []
        for row in range(MAX_TIERS):
            fields = [tier_name(row, field) for field in TIER_FIELDS]
            if any(self._texts.get(name) for name in fields):
                values = (
                    self._minor(fields[0], None),
                    self._minor(fields[1], self._unit),
                    self._share(fields[2]),
                )
                tier = zip(TIER_FIELDS, values, strict=True)
                found.append((row, {field: value for field, value in tier if value is not None}))
        return found

    def _minor(self, name: str, currency: str | None) -> int | None:
        return self._number(name, currency, "amount_invalid" if currency else "int_parsing")

    def _share(self, name: str) -> int | None:
        return self._number(name, _PERCENT, "percent_invalid")

    def _number(self, name: str, currency: str | None, wrong: str) -> int | None:
        text = self._texts.get(name)
        value = minor_units(text, currency) if text else None
        if text and value is None:
            self.errors[name] = wrong
        return value

    def _seconds(self, name: str, column: str) -> int | None:
        text = self._texts.get(name)
        if not text:
            return None
        if text == self._kept.get(name):
            kept: int = getattr(self._former, column)
            return kept
        if len(text) < 20:
            with suppress(InvalidOperation, ValueError, OverflowError):
                return round(Decimal(text.replace(",", ".")) * DAY)
        self.errors[name] = "days_invalid"
        return None

    def _instant(self, name: str) -> str | None:
        """Return a local time as text with its offset. Of a time that clocks show twice, the first."""
        text = self._texts.get(name)
        if not text:
            return None
        if text == self._kept.get(name):
            kept: datetime = getattr(self._former, name)
            return kept.isoformat()
        with suppress(ValueError, OverflowError):
            local = datetime.strptime(text, LOCAL).replace(tzinfo=ZoneInfo(self._program.time_zone))
            return local.astimezone(UTC).isoformat()
        self.errors[name] = "time_invalid"
        return None


def _name_of(location: Sequence[int | str], code: str, rows: Sequence[int]) -> str | None:
    """Return the field of an error of the schema. `rows` are those of the tiers."""
    match tuple(location):
        case ():
            return _OF_RULE.get(code)
        case ("tiers", int(place), *rest):
            return tier_name(rows[place], str(rest[0]) if rest else "amount_minor")
        case ("cap", *rest):
            return f"cap_{rest[0] if rest else 'count'}"
    return str(location[0])


def _unit(kind: str, program: Program) -> str | None:
    """Return the currency of the amounts of a kind of rewards. Points have none."""
    return None if kind == RewardKind.POINTS else program.currency


def _amount(minor: int | None, currency: str | None) -> str:
    if minor is None:
        return ""
    return str(minor) if currency is None else f"{decimal_of(minor, currency):f}"


def _days(seconds: int | None) -> str:
    return "" if seconds is None else f"{seconds / DAY:.6g}"


def _local(at: datetime | None, program: Program) -> str:
    if at is None:
        return ""
    with suppress(OverflowError):  # at the end of the year 9999
        at = at.astimezone(ZoneInfo(program.time_zone))
    return at.strftime(LOCAL)
