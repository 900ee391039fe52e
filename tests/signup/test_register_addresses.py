"""POST /api/v1/users: accepted and equivalent addresses."""

import unicodedata

import pytest

from people import register

pytestmark = pytest.mark.one_database

REFUSED = {
    "display name": "Bob <a@x.com>",
    "leading space": " a@x.com",
    "trailing space": "a@x.com ",
    "no-break space": "\u00a0a@x.com",
    "quoted local part": '"a b"@x.com',
    "quoted at sign": '"a@b"@x.com',
    "IPv4 literal": "a@[127.0.0.1]",
    "IPv6 literal": "a@[IPv6:::1]",
    "bare IPv4": "a@127.0.0.1",
    "localhost": "a@localhost",
    "no dot": "a@intranet",
    "invalid": "a@example.invalid",
    "65 in the local part": "a" * 65 + "@x.com",
    "255 in all": "a@" + ".".join(["b" * 63, "c" * 63, "d" * 63, "e" * 61]),
    "64-character label": "a@" + "b" * 64 + ".com",
    "two dots": "a..b@x.com",
    "leading dot": ".a@x.com",
    "dot before the at": "a.@x.com",
    "trailing dot": "a@x.com.",
    "two dots in the domain": "a@x..com",
    "leading hyphen": "a@-x.com",
    "underscore": "a@ex_ample.com",
    "numeric top level": "a@x.123",
    "bad punycode": "a@xn--a.com",
    "two ats": "a@b@x.com",
    "full-width at": "a\uff20x.com",
    "no local part": "@x.com",
    "no domain": "a@",
    "no at": "alice",
    "empty": "",
    "comment": "a(b)@x.com",
    "comma": "a,b@x.com",
    "header injection": "a@x.com\r\nBcc: z@y",
    "line feed at the end": "a@x.com\n",
    "NUL": "a\u0000@x.com",
    "bidi override": "a\u202e@x.com",
    "zero-width joiner": "a\u200d@x.com",
    "joiner in the domain": "a@ex\u200dample.com",
    "soft hyphen": "a\u00ad@x.com",
    "leading combining mark": "\u0301a@x.com",
    "emoji in the domain": "a@😀.com",
    "number": 1,
    "list": ["a@x.com"],
}

ACCEPTED = {
    "plus tag": "alice+news@example.com",
    "64 in the local part": "a" * 64 + "@example.com",
    "254 in all": "a" * 61 + "@" + ".".join(["b" * 63, "c" * 63, "d" * 60, "com"]),
    "subdomain": "alice@mail.example.co.uk",
    "punctuation": "o'neil_a-b!#$%&*/=?^`{|}~@example.com",
    "umlaut in the domain": "alice@bücher.example.com",
    "punycode": "alice@xn--bcher-kva.example.com",
    "other script": "用户@例え.jp",
    "sharp s": "straße@example.com",
    "ligature": "ﬁ@example.com",
    "dotted capital I": "İ@example.com",
}


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED)
async def test_rejects_invalid_addresses(api, rows, address):
    answer = await register(api, "alice", email=address)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.email"]
    assert await rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("address", ACCEPTED.values(), ids=ACCEPTED)
async def test_accepts_valid_addresses(api, address):
    answer = await register(api, "alice", email=address)

    assert answer.status_code == 201
    assert answer.json()["email"] == address
    assert (await register(api, "alice", email=address)).status_code == 409


SAME = {
    "case of the domain": ("a@example.com", "A@EXAMPLE.com"),
    "case of the local part": ("alice@example.com", "ALICE@example.com"),
    "NFD": ("élise@example.com", unicodedata.normalize("NFD", "Élise@example.com")),
    "punycode": ("alice@bücher.example.com", "alice@XN--bcher-kva.example.com"),
    "full-width domain": ("alice@example.com", "alice@ｅxample.com"),
    "ideographic full stop": ("alice@example.com", "alice@example。com"),
    "dotted capital I": ("İ@example.com", "i\u0307@example.com"),
}

DIFFERENT = {
    "Cyrillic look-alike": ("alice@example.com", "аlice@example.com"),
    "plus tag": ("alice@example.com", "alice+1@example.com"),
    "dots at Gmail": ("alice.l@gmail.com", "alicel@gmail.com"),
    "sharp s": ("strasse@example.com", "straße@example.com"),
    "ligature": ("fi@example.com", "ﬁ@example.com"),
    "dotted capital I": ("i@example.com", "İ@example.com"),
    "subdomain": ("alice@example.com", "alice@mail.example.com"),
}


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
async def test_equivalent_addresses_are_one_account(api, first, second):
    assert (await register(api, "alice", email=first)).status_code == 201

    answer = await register(api, "alice", email=second)

    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
async def test_different_addresses_are_two_accounts(api, first, second):
    assert (await register(api, "alice", email=first)).status_code == 201
    assert (await register(api, "alice", email=second)).status_code == 201


async def test_the_address_keeps_its_spelling(api):
    answer = await register(api, "alice", email="Alice.Liddell@Example.COM")

    assert answer.json()["email"] == "Alice.Liddell@Example.COM"
