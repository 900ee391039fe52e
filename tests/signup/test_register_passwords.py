"""POST /api/v1/users: passwords."""

import unicodedata

import pytest

from people import register, sign_in
from second_service import second_service

pytestmark = pytest.mark.one_database

GOOD_EIGHT = "vV8!mq2z"
LONG = "".join(chr(0x4E00 + n) for n in range(256))

COMMON = [
    "password",
    "PASSWORD",
    "Password1",
    "P@ssw0rd",
    "P@ssw0rd1",
    "12345678",
    "87654321",
    "11111111",
    "aaaaaaaa",
    "abcdefgh",
    "qwertyui",
    "1qaz2wsx",
    "iloveyou",
    "sunshine1",
    "Qwerty1!",
    "trustno1!",
    "letmein!",
    "taylor94",
    "samsung23",
    "starship1",
    "30081993",
    "password123",
    "1234567890",
    "qwertyuiop",
    "12345678901234567890",
    "passwordpassword",
    "liverpool123",
    "        ",
]

STRONG = [
    "seven lanterns on the hill",
    "correct horse battery",
    "blauer Himmel",
    "кошка на крыше",
    "甲乙丙丁戊己庚辛",
    "kX92mfpa",
    "qkdjwpsz",
    "b8Kd!s0w",
    "mangrove7tide",
    "p\u00e4ssw\u00f6rtchen",
]


@pytest.mark.parametrize("password", COMMON)
async def test_rejects_a_common_password(api, password):
    answer = await register(api, "alice", password=password)

    assert answer.status_code == 422
    assert answer.json()["code"] == "password_too_common"
    assert answer.json()["errors"][0]["field"] == "body.password"


@pytest.mark.parametrize("password", STRONG)
async def test_accepts_a_strong_password(api, password):
    assert (await register(api, "alice", password=password)).status_code == 201
    assert (await sign_in(api, "alice@example.com", password)).status_code == 201


@pytest.mark.parametrize(
    "password",
    [
        "Alice.Liddell@Example.com",
        "alice.liddell@example.COM",
        "ALICE.Liddell",
        "Wilhelmina",
        "featherstone",
        "Wilhelmina Featherstone",
        "goodword",
        "GoodWord",
        "Good Word",
        "good-word",
    ],
)
async def test_rejects_a_personal_password(api, password):
    answer = await register(
        api,
        "alice",
        email="alice.liddell@example.com",
        first_name="Wilhelmina",
        last_name="Featherstone",
        password=password,
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "password_too_personal"


REFUSED_LENGTHS = {
    "empty": ("", "password_too_short"),
    "7": (GOOD_EIGHT[:7], "password_too_short"),
    "4 of 8 bytes": ("甲乙丙丁", "password_too_short"),
    "7 in NFC, 8 as typed": (GOOD_EIGHT[:6] + "e\u0301", "password_too_short"),
    "257": (LONG + "x", "password_too_long"),
    "1025 bytes": ("x" * 1025, "password_too_long"),
    "257 of four bytes": ("😀" * 257, "password_too_long"),
    "60,000": ("xy" * 30_000, "password_too_long"),
}


@pytest.mark.parametrize(("password", "code"), REFUSED_LENGTHS.values(), ids=REFUSED_LENGTHS)
async def test_rejects_an_invalid_length(api, rows, password, code):
    answer = await register(api, "alice", password=password)

    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert await rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("password", [GOOD_EIGHT, "甲乙丙丁戊己庚辛", LONG, "x" * 255 + "y"], ids=len)
async def test_accepts_a_valid_length(api, password):
    assert (await register(api, "alice", password=password)).status_code == 201
    assert (await sign_in(api, "alice@example.com", password)).status_code == 201


@pytest.mark.parametrize("other", [LONG[:-1], LONG[:-1] + "x", LONG[1:], LONG + "x", LONG.upper() + " "])
async def test_a_long_password_is_not_truncated(api, other):
    await register(api, "alice", password=LONG)

    assert (await sign_in(api, "alice@example.com", other)).status_code == 401


async def test_the_password_is_normalised_to_nfc(api):
    typed = "grüne Äpfel im Öl"
    await register(api, "alice", password=unicodedata.normalize("NFD", typed))

    for form in ("NFC", "NFD"):
        answer = await sign_in(api, "alice@example.com", unicodedata.normalize(form, typed))
        assert answer.status_code == 201


@pytest.mark.parametrize(
    "wrong", ["SEVEN LANTERNS ON THE HILL", "seven lanterns on the hill ", " seven lanterns on the hill"]
)
async def test_case_and_spaces_are_significant(alice, wrong):
    assert (await sign_in(alice.api, alice.email, wrong)).status_code == 401


async def test_the_minimum_length_can_be_raised(app, database_url, clock):
    async with second_service(database_url, clock=clock, password_min_length=12) as strict:
        short = await register(strict, "alice", password="kX92mfpa-Q4")
        long = await register(strict, "alice", password="kX92mfpa-Q4z")

    assert short.json()["code"] == "password_too_short"
    assert "12" in short.json()["detail"]
    assert long.status_code == 201
