"""More of what `goodword import` refuses, by line and as a whole, and what it reads all the same."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sweeps import Sweep
from transfer.conftest import read_report
from transfer.test_import_lines import ALICE, BOB, CODE, ID, LATER, REFERRAL

pytestmark = pytest.mark.one_database
EARLIER = (datetime.now(UTC) - timedelta(days=30)).isoformat()
ERASED = {"type": "user", "id": ID, "status": "erased"}
USER = {"type": "user", "email": "x@example.com"}
MAC = f"{'0' * 16}:{'0' * 64}"
REFUSED = [
    ({**USER, "created_at": "1960-01-01T00:00:00Z"}, "created_at", "time_invalid"),
    ({**ERASED, "first_name": "Alice"}, "status", "erased_with_data"),
    ({**CODE, "owner": {"name": "Alice"}}, "owner", "reference_invalid"),
    ({**CODE, "owner": ""}, "owner", "reference_invalid"),
    ({**CODE, "code": None}, "code", "code_missing"),
    ({**CODE, "uses": 2, "max_uses": 1}, "max_uses", "max_uses_too_low"),
    ({**CODE, "retired_reason": "revoked"}, "retired_at", "retired_at_missing"),
    ({**CODE, "code": None, "mac": MAC, "owner": ID}, "mac", "mac_of_another_secret"),
    ({**CODE, "code": "OFERASED", "owner": ID}, "owner", "user_erased"),
    ({**CODE, "code": "BACKWARDS", "owner": "b 2", "created_at": LATER}, "created_at", "time_in_future"),
    (
        {**CODE, "code": "NOTERM", "owner": "b 2", "created_at": EARLIER, "expires_at": EARLIER},
        "expires_at",
        "term_invalid",
    ),
    ({**CODE, "code": "SAMEID", "owner": "b 2", "id": ID}, "id", "id_taken"),
    ({"type": "referral", "referee": "b 2"}, "referrer", "referrer_missing"),
    ({"type": "referral", "referee": "b 2", "code": "NOBODYS"}, "code", "code_unknown"),
    ({"type": "referral", "referee": "b 2", "referrer": "nobody"}, "referrer", "user_unknown"),
    ({**REFERRAL, "referee": "c", "id": ID}, "id", "id_taken"),
]


async def test_wrong_lines(import_lines):
    carol = {"type": "user", "email": "carol@example.com", "external_id": "c"}
    basis = (ERASED, ALICE, BOB, carol, {**CODE, "id": ID}, {**REFERRAL, "id": ID})

    _, report = import_lines(*basis, *(line for line, _, _ in REFUSED))

    found = {number: (field or "", code) for number, field, code in report}
    with Sweep() as sweep:
        for number, (line, field, code) in enumerate(REFUSED, len(basis) + 1):
            with sweep.case(line):
                assert found.pop(number) == (field, code)
    assert found == {}


async def test_a_code_that_has_expired_keeps_its_referrals(import_lines, database):
    expired = {**CODE, "expires_at": EARLIER}

    done, _ = import_lines(ALICE, BOB, expired, b"   ", {**REFERRAL, "code": None})

    assert done.returncode == 0, done.stdout
    [row] = await database.rows(text("SELECT created_at < expires_at AS has_term, uses FROM referral_codes"))
    assert (bool(row.has_term), row.uses) == (True, 1)


async def test_a_chain_of_referrals_that_is_too_deep(import_lines):
    names = [*(f"u{n}" for n in range(1_001)), "last", "friend"]
    users = [{"type": "user", "email": f"{name}@example.com", "external_id": name} for name in names]
    codes = [{**CODE, "owner": name, "code": f"CODE-{name}"} for name in names]
    chain = [{"type": "referral", "code": f"CODE-u{n}", "referee": f"u{n + 1}"} for n in range(1_000)]
    # A circle has to be looked for only above a user who has referred another one before.
    chain += [{"type": "referral", "code": "CODE-last", "referee": "friend"}]
    chain += [{"type": "referral", "code": "CODE-u1000", "referee": "last"}]

    _, report = import_lines(*users, *codes, *chain)

    assert [code for _, _, code in report] == ["referral_too_deep"]


async def test_paths_that_cannot_be_imported(command, tmp_path):
    mapping, folder = tmp_path / "map.toml", tmp_path / "folder"
    mapping.write_text('[user]\nemail = "email"\n')
    folder.mkdir()
    with Sweep() as sweep:
        for arguments, message in [
            ((tmp_path / "missing",), "There is no file"),
            ((folder,), "has none of programs.csv"),
            ((folder, "--map", mapping), "A mapping is for one file"),
            ((mapping, "--map", "missing"), "There is no file missing. Ready mappings:"),
        ]:
            with sweep.case(message):
                done = command("import", *arguments)
                assert (done.returncode, message in done.stderr) == (2, True), done.stderr


async def test_a_mapping_of_ndjson(command, tmp_path, database):
    mapping, file = tmp_path / "map.toml", tmp_path / "people.ndjson"
    mapping.write_text('[user]\nemail = "mail"\ncreated_at = "since"\n')
    lines = [json.dumps({"mail": "a@example.com", "since": EARLIER}), "{", "[]", "\ud800", '{"mail": 3}']
    file.write_bytes("\n".join(lines).encode(errors="surrogatepass"))

    command("import", file, "--map", mapping)

    assert [code for _, _, code in read_report(file)] == [
        *("json_invalid", "json_invalid", "utf8_invalid"),
        "string_type",
    ]
    assert await database.rows(text("SELECT email FROM users")) == [("a@example.com",)]


async def test_blank_and_broken_lines_of_csv(command, tmp_path, database):
    file = tmp_path / "people.csv"
    rows = [b"type,email,first_name", b"", b"user,a@example.com,'=x", b"user,\xff@example.com,x"]
    rows += [b"user,b@example.com," + b"x" * 140_000, b"user,c@example.com,x\0y", b"user,d@example.com,D"]
    file.write_bytes(b"\n".join(rows))

    command("import", file)

    codes = [(line, code) for line, _, code in read_report(file)]
    assert codes[:2] == [(4, "utf8_invalid"), (5, "line_too_long")]
    assert codes[2][0] == 6
    emails = await database.rows(text("SELECT email FROM users ORDER BY email"))
    assert emails == [("a@example.com",), ("d@example.com",)]
