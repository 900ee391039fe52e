"""The choice of a language by the `Accept-Language` header."""

import pytest

from goodword.languages import preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ru", "ru"),
        ("RU-ru", "ru"),
        ("fr, ru;q=0.5", "ru"),
        ("en;q=0.4, ru;q=0.5", "ru"),
        ("ru, en", "ru"),
        ("en, ru", "en"),
        ("ru;q=0", "en"),
        ("*", "en"),
        ("*;q=0.5, ru;q=0.4", "en"),
        ("*;q=0.4, ru;q=0.5", "ru"),
        ("ru;q=0.5, *;q=0.5", "ru"),
        ("en;q=0, *", "ru"),
        ("en;q=0.1, *", "ru"),
        ("ru;q=0.1, ru-RU;q=0.9, en;q=0.5", "ru"),
        ("*;q=0", "en"),
        ("de-DE, zh-Hant-TW;q=0.8", "en"),
        ("ru;q=nonsense, ;;,,\x00", "en"),
        ("r" * 100_000, "en"),
        ("ru" + "-x" * 100_000, "ru"),
    ],
)
def test_the_preferred_supported_language_is_chosen(header, language):
    assert preferred_language(header) == language
