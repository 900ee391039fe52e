"""`goodword export` and `goodword import` of programs, and of the people that a product reports."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sweeps import Sweep
from transfer.conftest import read_report

LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
EARLIER = "2026-01-31T12:00:00Z"
DEFAULT = {
    "type": "program",
    "slug": "default",
    "name": "Acme",
    "link_target": "https://acme.example/join?ref={code}",
}
AUTUMN = {
    "type": "program",
    "slug": "autumn",
    "name": "Autumn",
    "status": "paused",
    "starts_at": EARLIER,
    "ends_at": "2027-01-31T12:00:00Z",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "link_target": "https://acme.example/{code}",
    "unusable_link": "target",
    "attribution": "first_touch",
    "attribution_window": 60,
    "late_entry_grace": 0,
    "remember_touch": True,
}
ANN = {
    "type": "user",
    "external_id": "acme/1",
    "program": "autumn",
    "reported_email": "Ann@example.com",
    "signed_up_at": EARLIER,
}
BEN = {"type": "user", "external_id": "acme/2", "reported_email": "ann@example.com", "program": "default"}
EVE = {"type": "user", "email": "eve@example.com", "external_id": "acme/3"}
CODE = {"type": "code", "owner": "acme/1", "code": "ANNS-CODE", "expires_at": LATER}
AUTUMN_CODE = {**CODE, "code": "ANNS-AUTUMN", "program": "autumn"}
REFERRAL = {"type": "referral", "referrer": "acme/1", "referee": "acme/2", "code": "ANNS-CODE"}
HELD = {**REFERRAL, "code": "ANNS-AUTUMN", "status": "held", "attributed_by": "touch", "program": "autumn"}
REVERSED = {"type": "referral", "referrer": "acme/1", "referee": "acme/3", "program": "autumn"}
REVERSED |= {"status": "reversed", "reason": "refunded", "confirmed_at": EARLIER}
ALL: list[dict[str, Any]] = [DEFAULT, AUTUMN, ANN, BEN, EVE, CODE, AUTUMN_CODE, REFERRAL, HELD, REVERSED]


@pytest.fixture
def copied(installation, command, tmp_path):
    """Export to a new file or folder, import that into another installation, and export that. Return both."""

    def run(name, *options):
        one, other = tmp_path / name, tmp_path / f"again-{name}"
        assert command("export", one, *options).returncode == 0
        empty = {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{name}.sqlite3"}
        assert command("migrate", **empty).returncode == 0
        done = command("import", one, **empty)
        assert done.returncode == 0, done.stdout + done.stderr
        assert command("export", other, *options, **empty).returncode == 0
        return one, other

    return run


async def test_programs_and_reported_people_are_moved(import_lines, database, copied):
    done, report = import_lines(*ALL)

    assert (done.returncode, report) == (0, []), done.stderr
    assert "Created 2 programs, 3 users, 2 codes, 3 referrals." in done.stdout
    rows = await database.rows(
        text(
            "SELECT slug, referrals.status, attributed_by, uses FROM referrals JOIN programs "
            "ON programs.id = referrals.program_id JOIN referral_codes ON referral_codes.id = code_id "
            "AND referral_codes.program_id = programs.id ORDER BY slug, referrals.status"
        )
    )
    assert rows == [
        ("autumn", "held", "touch", 2),
        ("autumn", "reversed", "code", 2),
        ("default", "confirmed", "code", 1),
    ]
    people = text(
        "SELECT external_id, reported_email, reported_email_key, email, slug FROM users "
        "LEFT JOIN programs ON programs.id = users.program_id ORDER BY external_id"
    )
    assert await database.rows(people) == [
        ("acme/1", "Ann@example.com", "ann@example.com", None, "autumn"),
        ("acme/2", "ann@example.com", "ann@example.com", None, "default"),
        ("acme/3", None, None, "eve@example.com", None),
    ]

    one, other = copied("all.ndjson")
    assert one.read_bytes() == other.read_bytes()
    found = [json.loads(line) for line in one.read_text().splitlines()]
    assert [record["type"] for record in found] == [record["type"] for record in ALL]
    assert {key: value for key, value in found[1].items() if key in AUTUMN} == AUTUMN
    one, other = copied("all", "--format", "csv")
    for name in ("programs.csv", "users.csv", "codes.csv", "referrals.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


async def test_a_second_import_changes_nothing(import_lines, database):
    import_lines(*ALL)
    changed = [DEFAULT | {"name": "Other"}, AUTUMN | {"name": "Other", "status": "active"}]
    changed += [ANN | {"reported_email": "other@example.com", "program": "default"}]

    done, report = import_lines(*changed, *ALL[3:])

    assert (done.returncode, report) == (0, [])
    assert "Created 0 users, 0 codes, 0 referrals." in done.stdout
    assert "Unchanged: 2 programs, 3 users, 2 codes, 3 referrals." in done.stdout
    assert await database.rows(text("SELECT name, status FROM programs ORDER BY slug")) == [
        ("Autumn", "paused"),
        ("Acme", "active"),
    ]


async def test_the_default_program_of_an_installation_with_users_keeps_its_terms(import_lines, database):
    import_lines(EVE)

    done, _ = import_lines(DEFAULT)

    assert "Unchanged: 1 programs" in done.stdout
    assert await database.rows(text("SELECT name, link_target FROM programs")) == [("Default", None)]


@pytest.mark.one_database
async def test_lines_may_refer_to_a_later_program(import_lines, database):
    done, report = import_lines(*reversed(ALL))

    assert (done.returncode, report) == (0, []), done.stdout
    assert await database.rows(text("SELECT count(*) FROM referrals WHERE status = 'held'")) == [(1,)]


REFUSED = [
    ({**AUTUMN, "slug": "Autumn"}, "slug", "slug_invalid"),
    ({**AUTUMN, "slug": "a", "time_zone": "Moon"}, "time_zone", "time_zone_invalid"),
    ({**AUTUMN, "slug": "a", "currency": "XXX"}, "currency", "currency_invalid"),
    ({**AUTUMN, "slug": "a", "link_target": "https://acme.example"}, "link_target", "link_target_placeholder"),
    ({**AUTUMN, "slug": "a", "link_target": "https://{code}.example/"}, "link_target", "link_target_invalid"),
    ({**AUTUMN, "slug": "a", "link_target": "https://a.example/{code}/{id}"}, "link_target", "link_target_placeholder"),
    ({**AUTUMN, "slug": "a", "link_target": "javascript:{code}"}, "link_target", "link_target_invalid"),
    ({**AUTUMN, "slug": "a", "ends_at": EARLIER}, "ends_at", "period_invalid"),
    ({**AUTUMN, "slug": "a", "id": "00000000-0000-7000-8000-000000000001"}, "id", "id_taken"),
    ({"type": "user", "email": "x@example.com", "reported_email": "y@example.com"}, "external_id", "external_id_missing"),
    ({"type": "user", "external_id": "x", "email_verified": True}, "email", "email_missing"),
    ({"type": "user", "external_id": "x", "administrator": True}, "email", "email_missing"),
    ({"type": "user", "reported_email": "y@example.com"}, "email", "email_missing"),
    ({"type": "user", "external_id": "x", "program": "winter"}, "program", "program_unknown"),
    ({**CODE, "code": "WINTERS", "program": "winter"}, "program", "program_unknown"),
    ({**CODE, "code": "ANOTHER", "program": "autumn"}, "owner", "active_code_exists"),
    ({**REFERRAL, "program": "winter"}, "program", "program_unknown"),
    ({**REVERSED, "code": "ANNS-CODE"}, "program", "code_of_another_program"),
]  # fmt: skip


@pytest.mark.one_database
async def test_wrong_lines(import_lines):
    _, report = import_lines(*ALL, *(line for line, _, _ in REFUSED))

    found = {number: (field or "", code) for number, field, code in report}
    with Sweep() as sweep:
        for number, (line, field, code) in enumerate(REFUSED, len(ALL) + 1):
            with sweep.case(line):
                assert found.pop(number) == (field, code)
    assert found == {}


@pytest.mark.one_database
async def test_circles_are_looked_for_in_each_program(import_lines):
    codes = [{**CODE, "owner": "acme/2", "code": "BENS-CODE"}]
    codes += [{**CODE, "owner": "acme/2", "code": "BENS-AUTUMN", "program": "autumn"}]
    people = [DEFAULT, AUTUMN, ANN, BEN, CODE, AUTUMN_CODE, *codes]
    back = {"type": "referral", "referee": "acme/1"}

    done, report = import_lines(
        *people, REFERRAL, back | {"code": "BENS-AUTUMN"}, back | {"code": "BENS-CODE"}
    )

    assert "2 referrals" in done.stdout
    assert [code for _, _, code in report] == ["referral_cycle"]


@pytest.mark.one_database
async def test_a_mapping_may_name_the_fields_of_participants(command, tmp_path, database):
    mapping, file = tmp_path / "map.toml", tmp_path / "customers.csv"
    mapping.write_text(
        'time_zone = "UTC"\n[user]\nexternal_id = "No"\nreported_email = "Mail"\nsigned_up_at = "Since"\n'
        '[constants.user]\nprogram = "default"\n'
    )
    file.write_text("No,Mail,Since\n7,a@example.com,2026-01-31 12:00\n8,nobody,\n")

    command("import", file, "--map", mapping)

    assert read_report(file) == [(3, "reported_email", "email_invalid")]
    rows = await database.rows(text("SELECT external_id, reported_email, signed_up_at FROM users"))
    assert [row[:2] for row in rows] == [("7", "a@example.com")]
    assert str(rows[0][2]).startswith("2026-01-31 12:00:00")


async def test_external_ids_are_those_of_the_api(import_lines, copied):
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
    people = [{"type": "user", "external_id": one} for one in (family, "a b", "a\N{NO-BREAK SPACE}b", "%2F")]
    codes = [
        {
            "type": "code",
            "owner": {"external_id": one["external_id"]},
            "code": f"CODE-{place}A",
            "expires_at": LATER,
        }
        for place, one in enumerate(people)
    ]

    done, report = import_lines(*people, *codes)

    assert (done.returncode, report) == (0, []), done.stderr
    one, other = copied("people.ndjson")
    assert one.read_bytes() == other.read_bytes()
