"""The settings of the brand, and what a wrong one does."""

import pytest

from goodword.config.brand_settings import MAX_LOGO, PNG
from goodword.config.loading import load
from goodword.config.settings import PREFIX, SettingsError


def brand(**environ):
    return load({PREFIX + name: value for name, value in environ.items()}, None)


@pytest.mark.parametrize(
    ("given", "english", "russian"),
    [
        ("A month for free", "A month for free", "A month for free"),
        ("en=Free; ru=Бесплатно", "Free", "Бесплатно"),
        ("ru=Бесплатно; en=Free;", "Free", "Бесплатно"),
        ("ru=Бесплатно", "Бесплатно", "Бесплатно"),
        ("en=One; two = three; ru=Раз; два", "One; two = three", "Раз; два"),
        ("sum=100; free", "sum=100; free", "sum=100; free"),
    ],
)
def test_a_text_is_given_once_or_by_language(given, english, russian):
    assert brand(OFFER=given).offer == {"en": english, "ru": russian}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("BRAND_NAME", "x" * 61, "at most 60"),
        ("BRAND_NAME", "two\nlines", "one line"),
        ("BRAND_NAME", "Ac\u202eme", "control characters"),
        ("BRAND_NAME", "Acme\u2028Corp", "one line"),
        ("OFFER", "Free\u2029for a month", "one line"),
        ("BRAND_COLOR", "yellow", "pattern"),
        ("BRAND_URL", "acme.example", "http://"),
        ("BRAND_URL", "javascript:alert(1)", "http://"),
        ("BRAND_CREDIT", "no", "'on' or 'off'"),
        ("TERMS_URL", "https://user:word@acme.example", "http://"),
        ("SUPPORT_EMAIL", "help", "e-mail address"),
        ("POSTAL_ADDRESS", "1 Main Street\nSpringfield", "one line"),
        ("OFFER", "en=One; en=Two", "two texts in one language"),
        ("OFFER", "en=; ru=x", "one line"),
        ("SHARE_TEXT", "x" * 301, "at most 300"),
    ],
)
def test_a_wrong_setting_stops_the_start(name, value, reason):
    with pytest.raises(SettingsError, match=f"^GOODWORD_{name}: .*{reason}"):
        brand(**{name: value})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "must be a PNG or SVG file"),
        (b"GIF89a", "must be a PNG or SVG file"),
        (b"<html><svg/></html>", "must be a PNG or SVG file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(MAX_LOGO), "at most 256 KiB"),
    ],
)
def test_a_wrong_logo_stops_the_start(tmp_path, content, reason):
    path = tmp_path / "logo.png"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=f"GOODWORD_BRAND_LOGO: .*{reason}"):
        brand(BRAND_LOGO=str(path))


def png(width: int, height: int) -> bytes:
    return PNG + b"\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes(9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(4097, 1), "at most 4096 x 4096 pixels"),
        (png(1, 30_000), "at most 4096 x 4096 pixels"),
        (f"<svg>{'<g>' * 100}{'</g>' * 100}</svg>".encode(), "at most 100 deep"),
        (b"<svg><filter><feTurbulence/></filter></svg>", "must not use feTurbulence"),
        (b"<svg><g></svg>", "must be a valid SVG file"),
    ],
)
def test_a_logo_that_is_hard_to_draw_stops_the_start(tmp_path, content, reason):
    path = tmp_path / "logo"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=f"GOODWORD_BRAND_LOGO: .*{reason}"):
        brand(BRAND_LOGO=str(path))


@pytest.mark.parametrize("content", [png(4096, 4096), f"<svg>{'<g>' * 99}{'</g>' * 99}</svg>".encode()])
def test_a_large_logo_is_read(tmp_path, content):
    path = tmp_path / "logo"
    path.write_bytes(content)

    logo = brand(BRAND_LOGO=str(path)).brand_logo

    assert logo is not None
    assert logo.content == content
