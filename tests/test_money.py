"""Amounts of money as text: the decimals of ISO 4217, and the notation of each language."""

from decimal import Decimal

import pytest

from goodword.money import decimal_of, format_money, minor_units
from goodword.web.html.rendering import format_amount

pytestmark = pytest.mark.one_database
NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("minor", "currency", "english", "russian"),
    [
        (499, "USD", "$4.99", f"4,99{NBSP}$"),
        (0, "EUR", "€0.00", f"0,00{NBSP}€"),
        (5, "EUR", "€0.05", f"0,05{NBSP}€"),
        (-499, "USD", "-$4.99", f"-4,99{NBSP}$"),
        (120, "JPY", "¥120", f"120{NBSP}¥"),
        (1_234_567, "KWD", f"KWD{NBSP}1,234.567", f"1{NBSP}234,567{NBSP}KWD"),
        (50_000, "RUB", f"RUB{NBSP}500.00", f"500,00{NBSP}₽"),
        (12_345, "IQD", f"IQD{NBSP}12.345", f"12,345{NBSP}IQD"),  # no decimals in CLDR
        (9_007_199_254_740_993, "EUR", "€90,071,992,547,409.93", f"90{NBSP}071{NBSP}992{NBSP}547{NBSP}409,93{NBSP}€"),
    ],
)  # fmt: skip
def test_money_has_the_decimals_of_its_currency(minor, currency, english, russian):
    assert format_money("en", minor, currency) == english
    assert format_money("ru", minor, currency) == russian


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [
        (1, "1 point", "1 балл"),
        (2, "2 points", "2 балла"),
        (120, "120 points", "120 баллов"),
        (-21, "-21 points", "-21 балл"),
        (1_234_567, "1,234,567 points", f"1{NBSP}234{NBSP}567 баллов"),
    ],
)
def test_points_agree_with_their_number(count, english, russian):
    assert format_amount("en", count, None) == english
    assert format_amount("ru", count, None) == russian


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(499, "USD", "4.99"), (120, "JPY", "120"), (10, "KWD", "0.010")]
)
def test_a_decimal_keeps_all_places(minor, currency, text):
    assert str(decimal_of(minor, currency)) == text
    assert decimal_of(minor, currency) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("4.99", "USD", 499),
        (" 4,9 ", "EUR", 490),
        ("5", "KWD", 5000),
        ("120", "JPY", 120),
        ("120", None, 120),
        ("4.999", "USD", None),
        ("1.5", "JPY", None),
        ("1.5", None, None),
        ("-1", "USD", None),
        ("1e3", "USD", None),
        ("١", "USD", None),
        ("", "USD", None),
    ],
)
def test_a_typed_amount_has_at_most_the_decimals_of_its_currency(text, currency, minor):
    assert minor_units(text, currency) == minor
