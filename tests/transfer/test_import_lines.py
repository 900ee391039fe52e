"""What `goodword import` does with each line: created, unchanged, or refused with a code."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sweeps import Sweep
from transfer.conftest import read_report

LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
ALICE = {"type": "user", "email": "alice@example.com", "external_id": "a/1", "first_name": "Alice"}
BOB = {"type": "user", "email": "bob@example.com", "external_id": "b 2"}
CODE = {"type": "code", "owner": "a/1", "code": "ALICE-2030", "expires_at": LATER}
REFERRAL = {"type": "referral", "referrer": "a/1", "referee": "bob@example.com", "code": "alice2030"}
BCRYPT = "$2b$04$WgTzJjZo0R6XE5tEAKfrK.C0LP8ZwwcBbpXmP6npwDvPdiI2a8.8e"
ID = "019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11"

REFUSED = {
    b"{": ("", "json_invalid"),
    b"[1]": None,
    b"\xff\xfe": ("", "utf8_invalid"),
    b'{"type": "user", "email": "x@example.com", "first_name": "a\\u0000b"}': (
        "first_name",
        "text_forbidden_character",
    ),
    b'{"type": "user", "email": "x@example.com", "first_name": "' + b"x" * 140_000 + b'"}': (
        "",
        "line_too_long",
    ),
    b"[" * 60_000: None,
    json.dumps({"type": "prize"}).encode(): ("type", "union_tag_invalid"),
    json.dumps({"type": "user"}).encode(): ("email", "email_missing"),
    json.dumps({"type": "user", "email": "nobody"}).encode(): ("email", "email_invalid"),
    json.dumps({"type": "user", "email": "x@example.com", "nickname": "X"}).encode(): (
        "nickname",
        "extra_forbidden",
    ),
    json.dumps({"type": "user", "email": "x@example.com", "external_id": " x"}).encode(): (
        "external_id",
        "external_id_invalid",
    ),
    json.dumps({"type": "user", "email": "x@example.com", "created_at": "2999-01-01T00:00:00Z"}).encode(): (
        "created_at",
        "time_in_future",
    ),
    json.dumps({"type": "user", "email": "x@example.com", "created_at": "yesterday"}).encode(): (
        "created_at",
        "time_invalid",
    ),
    json.dumps({"type": "user", "email": "x@example.com", "password_hash": "hunter2"}).encode(): (
        "password_hash",
        "password_hash_unknown",
    ),
    json.dumps(
        {"type": "user", "email": "x@example.com", "password_hash": BCRYPT.replace("$04$", "$31$")}
    ).encode(): ("password_hash", "password_hash_too_costly"),
    json.dumps({**BOB, "external_id": "a/1"}).encode(): ("email", "identity_conflict"),
    json.dumps({**ALICE, "external_id": "a/2"}).encode(): ("external_id", "external_id_differs"),
    json.dumps({"type": "user", "email": "alice@example.com", "id": ID}).encode(): ("email", "email_taken"),
    json.dumps({**CODE, "owner": "nobody"}).encode(): ("owner", "user_unknown"),
    json.dumps({**CODE, "code": "docs"}).encode(): ("code", "code_reserved"),
    json.dumps({**CODE, "code": "a b"}).encode(): ("code", "code_invalid"),
    json.dumps({**CODE, "code": "ANOTHER"}).encode(): ("owner", "active_code_exists"),
    json.dumps({**CODE, "owner": "b 2"}).encode(): ("code", "code_taken"),
    json.dumps({**CODE, "code": "LONGER", "expires_at": "2999-01-01T00:00:00Z"}).encode(): (
        "expires_at",
        "term_too_long",
    ),
    json.dumps({**REFERRAL, "referee": "a/1"}).encode(): ("referrer", "self_referral"),
    json.dumps({**REFERRAL, "code": "NOBODYS"}).encode(): ("code", "code_unknown"),
    json.dumps({**REFERRAL, "referrer": "b 2", "referee": "c"}).encode(): ("code", "code_of_another_user"),
    json.dumps({**REFERRAL, "referrer": "c", "referee": "b 2", "code": "CAROLS"}).encode(): (
        "referee",
        "already_referred",
    ),
    json.dumps({"type": "referral", "referrer": "b 2", "referee": "a/1", "code": "BOBS"}).encode(): (
        "referrer",
        "referral_cycle",
    ),
}
CAROL = {"type": "user", "email": "carol@example.com", "external_id": "c"}
BASIS = (
    *(ALICE, BOB, CAROL, CODE, REFERRAL),
    {**CODE, "owner": "c", "code": "CAROLS"},
    {**CODE, "owner": "b 2", "code": "BOBS"},
)


async def test_each_wrong_line_is_refused_with_its_code_and_the_others_are_imported(import_lines):
    done, report = import_lines(*BASIS, *REFUSED, {"type": "user", "email": "last@example.com"})

    assert (done.returncode, "Created 4 users, 3 codes, 1 referrals." in done.stdout) == (1, True)
    found = {line: (field or "", code) for line, field, code in report}
    with Sweep() as sweep:
        for number, (line, expected) in enumerate(REFUSED.items(), len(BASIS) + 1):
            with sweep.case(line[:80]):
                assert number in found
                assert expected is None or found[number] == expected
    assert len(found) == len(REFUSED)


async def test_lines_may_refer_to_later_ones(import_lines, database):
    done, report = import_lines(REFERRAL, CODE, BOB, ALICE)

    assert (done.returncode, report) == (0, [])
    assert await database.rows(text("SELECT status, uses FROM referrals, referral_codes")) == [
        ("confirmed", 1)
    ]


async def test_a_second_import_changes_nothing(import_lines, database):
    import_lines(*BASIS)
    rows = text(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM referrals), uses FROM referral_codes"
    )
    before = await database.rows(rows)

    done, report = import_lines(*BASIS, {**ALICE, "first_name": "Mallory"})

    assert (done.returncode, report, await database.rows(rows)) == (0, [], before)
    assert "Unchanged: 4 users, 3 codes, 1 referrals." in done.stdout
    assert await database.rows(text("SELECT 1 FROM users WHERE first_name = 'Mallory'")) == []


async def test_nothing_is_changed_by_a_trial(import_lines, database):
    done, report = import_lines(*BASIS, {**CODE, "owner": "b 2"}, options=["--dry-run"])

    assert (done.returncode, "Would create 3 users, 3 codes, 1 referrals." in done.stdout) == (1, True)
    assert report == [(len(BASIS) + 1, "code", "code_taken")]
    assert await database.rows(text("SELECT 1 FROM users UNION ALL SELECT 1 FROM audit_events")) == []


async def test_an_erased_user_does_not_come_back(import_lines, command, database):
    import_lines(ALICE, {"type": "user", "email": "dave@example.com"})
    for email in ("alice@example.com", "dave@example.com"):
        assert command("users", "erase", email, "--yes").returncode == 0

    _, report = import_lines(ALICE, {"type": "user", "email": "dave@example.com"})

    assert [code for _, _, code in report] == ["user_erased", "user_erased"]
    assert (
        await database.rows(text("SELECT 1 FROM users WHERE email IS NOT NULL OR external_id IS NOT NULL"))
        == []
    )


async def test_an_existing_account_gets_its_external_id(import_lines, database):
    import_lines({"type": "user", "email": "alice@example.com"})

    done, _ = import_lines(ALICE, CODE)

    assert (done.returncode, "1 codes" in done.stdout) == (0, True)
    assert await database.rows(text("SELECT external_id FROM users")) == [("a/1",)]


async def test_no_more_than_four_costs_of_hashes(import_lines):
    users = [
        {
            "type": "user",
            "email": f"u{cost}@example.com",
            "password_hash": BCRYPT.replace("$04$", f"${cost:02}$"),
        }
        for cost in range(4, 10)
    ]

    _, report = import_lines(*users)

    assert [code for _, _, code in report] == ["password_hash_costs"] * 2


async def test_csv_in_hostile_shapes(command, tmp_path, database):
    file = tmp_path / "people.csv"
    rows = [
        "type,email,first_name,last_name",
        'user,one@example.com,"A ""quoted"", name","two\r\nlines"',
        "user,two@example.com,'=1+1,O'Neill",
        "user,three@example.com,only three",
        'user,four@example.com,"never closed,x',
    ]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\nuser,\xff@example.com,x,y\r\n")

    done = command("import", file)

    assert done.returncode == 1
    found = read_report(file)
    assert found[:2] == [(2, "last_name", "text_forbidden_character"), (5, None, "csv_columns")]
    assert await database.rows(text("SELECT email, first_name, last_name FROM users")) == [
        ("two@example.com", "=1+1", "O'Neill")
    ]
    folder = tmp_path / "out"
    command("export", folder, "--format", "csv")
    assert "'=1+1" in (folder / "users.csv").read_text()


@pytest.mark.parametrize("header", ["type,email,nickname", "type,email,email", "email"])
@pytest.mark.one_database
async def test_a_file_with_wrong_columns_is_not_imported(command, tmp_path, header):
    file = tmp_path / "people.csv"
    file.write_text(f"{header}\nuser,a@example.com,b\n")

    assert command("import", file).returncode == 2


@pytest.mark.one_database
async def test_a_mapping_makes_records_of_the_columns_of_another_system(command, tmp_path, database):
    mapping, file = tmp_path / "map.toml", tmp_path / "customers.csv"
    mapping.write_text(
        'ignore_other_columns = true\ndelimiter = ";"\ntime_format = "%d.%m.%Y"\ntime_zone = "Europe/Berlin"\n'
        '[user]\nexternal_id = "No"\nemail = "E-Mail"\ncreated_at = "Joined"\nstatus = "State"\n'
        '[code]\nowner = "No"\ncode = "Code"\n[referral]\nreferee = "No"\ncode = "By"\n'
        f'[constants.code]\nexpires_at = "{LATER}"\n[optional]\ncode = "code"\nreferral = "code"\n'
        '[values.State]\nblocked = "disabled"\n"" = "active"\nok = "active"\n'
    )
    file.write_text(
        "No;E-Mail;Joined;State;Code;By;Other\n2;b@example.com;01.02.2026;blocked;;ANNA-1;x\n"
        "1;a@example.com;31.01.2026;ok;ANNA-1;;x\n"
    )

    done = command("import", file, "--map", mapping)

    assert (done.returncode, "Created 2 users, 1 codes, 1 referrals." in done.stdout) == (0, True), (
        done.stderr
    )
    rows = await database.rows(text("SELECT external_id, status, created_at FROM users ORDER BY external_id"))
    assert [row[:2] for row in rows] == [("1", "active"), ("2", "disabled")]
    assert str(rows[0][2]).startswith("2026-01-30 23:00:00")


@pytest.mark.one_database
async def test_the_ready_mapping_of_django(command, tmp_path, database):
    file = tmp_path / "auth_user.csv"
    file.write_text(
        "id,email,first_name,last_name,password,is_active,date_joined\n"
        f"7,a@example.com,Ann,,bcrypt${BCRYPT},t,2026-01-31 10:00:00.5+01\n"
    )

    done = command("import", file, "--map", "django-auth-user")

    assert done.returncode == 0, done.stderr
    assert [row[0] for row in await database.rows(text("SELECT external_id FROM users"))] == ["7"]


@pytest.mark.one_database
async def test_a_mapping_with_mistakes_is_refused(command, tmp_path):
    mapping, file = tmp_path / "map.toml", tmp_path / "customers.csv"
    file.write_text("email\na@example.com\n")
    with Sweep() as sweep:
        for content in ("[user", "", "[person]\n", '[user]\nmail = "email"\n', '[user]\nemail = "mail"\n', "user = 3\n",
                        'time_zone = "Moon"\n[user]\nemail = "email"\n'):  # fmt: skip
            with sweep.case(content):
                mapping.write_text(content)
                done = command("import", file, "--map", mapping)
                assert done.returncode == 2
                assert "mapping" in done.stderr or "TOML" in done.stderr or "time zone" in done.stderr
