"""Amounts of money as text. An amount is a whole number of minor units, such as cents."""

import re
from copy import copy
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale
    from babel.numbers import NumberPattern

_TYPED = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,4}))?")
_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def decimal_of(amount_minor: int, currency: str) -> Decimal:
    """Return an amount in the major unit of its currency, with all decimals of the currency."""
    return Decimal(amount_minor).scaleb(-decimals(currency))


def minor_units(text: str, currency: str | None) -> int | None:
    """Return the minor units of a typed amount, such as `4.99`, or the whole number without a currency.

    None if it is not a number, or has more decimals than the currency.
    """
    places = 0 if currency is None else decimals(currency)
    found = _TYPED.fullmatch(text.strip())
    if found is None or len(found[2] or "") > places:
        return None
    return int(found[1] + (found[2] or "").ljust(places, "0"))


def format_money(language: str, amount_minor: int, currency: str) -> str:
    """Return an amount in the notation of a language, such as `$4.99` in English and `4,99 $` in Russian."""
    locale, pattern = _locale(language, decimals(currency))
    text = pattern.apply(decimal_of(amount_minor, currency), locale, currency=currency, currency_digits=False)
    # The spacing of currencies in CLDR, which babel leaves out: a code such as KWD is not beside a digit.
    return _LETTER_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", text)


@cache
def decimals(currency: str) -> int:
    """Return the number of decimals of a currency in ISO 4217. Those of CLDR differ for some currencies."""
    from iso4217 import Currency  # takes 10 ms

    return Currency(currency).exponent or 0


def all_decimals() -> dict[str, int]:
    """Return the number of decimals of each currency in ISO 4217, without metals, test codes and the like."""
    from iso4217 import Currency  # takes 10 ms: it parses a table

    return {one.code: one.exponent for one in Currency if one.exponent is not None}


@cache
def _locale(language: str, places: int) -> tuple["Locale", "NumberPattern"]:
    from babel import Locale  # takes 100 ms, with the data of the language

    locale = Locale.parse(language)
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return locale, pattern
