"""Each table with personal data declares what an erasure does to it, and what an export contains of it."""

import re

from goodword.db.personal_data import Kept
from goodword.personal_data import NOT_PERSONAL, PERSONAL_DATA
from goodword.tables import Base
from serving import ROOT

DECLARED = {data.model.__tablename__ for data in PERSONAL_DATA}


def test_each_table_is_declared_once():
    others = {model.__tablename__ for model in NOT_PERSONAL}

    assert sorted([*(data.model.__tablename__ for data in PERSONAL_DATA), *others]) == sorted(
        Base.metadata.tables
    )


def test_each_table_that_refers_to_a_user_is_declared():
    referring = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "users"
    }

    assert "sessions" in referring
    assert referring <= DECLARED


def test_each_table_documented_as_personal_is_declared():
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", (ROOT / "docs/data.md").read_text(), re.MULTILINE)
    personal = {
        name for names, level in rows if "personal" in level for name in re.findall(r"`(\w+)`", names)
    }

    assert "sessions" in personal
    assert personal <= DECLARED


def test_each_declaration_has_an_erasure_and_an_export():
    for data in PERSONAL_DATA:
        table = data.model.__tablename__
        assert data.export, table
        assert data.erase.reason if isinstance(data.erase, Kept) else callable(data.erase), table


def test_sections_of_the_export_have_different_names():
    names = [name for data in PERSONAL_DATA for name in data.export]

    assert len(set(names)) == len(names)


async def test_each_section_is_in_the_export(alice):
    found = (await alice.get("/api/v1/me/export")).json()

    assert set(found) == {"exported_at", *(name for data in PERSONAL_DATA for name in data.export)}
