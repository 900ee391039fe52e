"""Export records page by page, as they are at one moment: those of people here, those of rewards elsewhere."""

import csv
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goodword.audit.actions import Action, Subject
from goodword.audit.service import record
from goodword.codes.models import ReferralCode
from goodword.db.database import Database
from goodword.programs.models import Program
from goodword.referrals.models import AttributedBy, Referral
from goodword.services import Services
from goodword.transfer import export_rewards
from goodword.transfer.export_values import ProgramsById, other_program, page, pages, present, time_text
from goodword.transfer.macs import written_mac
from goodword.transfer.reading import FILES, escape
from goodword.transfer.records import TYPES
from goodword.users.models import User, UserStatus

Advance = Callable[[str, int], None]
"""Called with a type and the number of its records that were written."""


async def export(services: Services, *, with_hashes: bool) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Yield records by type, some thousand at a time. The audit log records the export."""
    async with services.database.transaction() as session:
        record(session, Action.DATA_EXPORTED, Subject.NONE, hashes=int(with_hashes))
    async with _snapshot(services.database) as connection:
        programs = {row.id: row for row in await connection.execute(select(Program.__table__))}
        for kind, query, build in (
            ("program", _PROGRAMS, _program),
            ("user", _USERS, lambda row: _user(row, programs, with_hashes=with_hashes)),
            ("code", _CODES, lambda row: _code(services, row, programs)),
            ("referral", _REFERRALS, lambda row: _referral(row, programs)),
        ):
            async for rows in pages(connection, query):
                yield kind, [build(row) for row in rows]
        async for kind, found in export_rewards.records(connection, programs):
            yield kind, found


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[AsyncConnection]:
    """Yield a connection that sees the database as it is now. It holds up no writer."""
    if database.is_sqlite:
        async with database.read_engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                await connection.exec_driver_sql("ROLLBACK")
        return
    async with database.write_engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        # Standard output may be read slowly.
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield connection


def _program(row: Row[Any]) -> dict[str, Any]:
    return present(
        type="program",
        id=str(row.id),
        slug=row.slug,
        name=row.name,
        status=row.status,
        starts_at=time_text(row.starts_at),
        ends_at=time_text(row.ends_at),
        time_zone=row.time_zone,
        currency=row.currency,
        link_target=row.link_target,
        unusable_link=row.unusable_link,
        code_lifetime=row.code_lifetime,
        attribution=row.attribution,
        attribution_window=row.attribution_window,
        late_entry_grace=row.late_entry_grace,
        remember_touch=row.remember_touch,
        created_at=None if row.is_default else time_text(row.created_at),
    )


def _user(row: Row[Any], programs: ProgramsById, *, with_hashes: bool) -> dict[str, Any]:
    return present(
        type="user",
        id=str(row.id),
        external_id=row.external_id,
        program=programs[row.program_id].slug if row.program_id else None,
        reported_email=row.reported_email,
        signed_up_at=time_text(row.signed_up_at),
        email=row.email,
        email_verified=row.verified_at is not None,
        verified_at=time_text(row.verified_at),
        first_name=row.first_name,
        last_name=row.last_name,
        language=row.language,
        status=None if row.status == UserStatus.ACTIVE else row.status,
        administrator=row.is_admin or None,
        created_at=time_text(row.created_at),
        erased_at=time_text(row.erased_at),
        password_hash=row.password_hash if with_hashes else None,
    )


def _code(services: Services, row: Row[Any], programs: ProgramsById) -> dict[str, Any]:
    return present(
        type="code",
        id=str(row.id),
        owner=str(row.owner_id),
        program=other_program(row.program_id, programs),
        code=row.code,
        mac=None if row.code else written_mac(services, row.key_mac),
        kind=row.kind,
        expires_at=time_text(row.expires_at),
        created_at=time_text(row.created_at),
        active=row.activated_at is not None,
        activated_at=time_text(row.activated_at),
        retired_at=time_text(row.retired_at),
        retired_reason=row.retired_reason,
        deleted_at=time_text(row.deleted_at),
        max_uses=row.max_uses,
        uses=row.uses,
        discoverable=row.discoverable,
    )


def _referral(row: Row[Any], programs: ProgramsById) -> dict[str, Any]:
    return present(
        type="referral",
        id=str(row.id),
        referrer=str(row.referrer_id),
        referee=str(row.referee_id),
        code=row.code,
        code_id=str(row.code_id),
        program=other_program(row.program_id, programs),
        attributed_by=None if row.attributed_by == AttributedBy.CODE else row.attributed_by,
        status=row.status,
        reason=row.reason,
        created_at=time_text(row.created_at),
        confirmed_at=time_text(row.confirmed_at),
    )


async def write(
    services: Services,
    path: Path | None,
    *,
    out: IO[bytes],
    as_csv: bool,
    with_hashes: bool,
    advance: Advance,
) -> None:
    """Write an export to a new file or folder, or without a path as NDJSON to `out`.

    Only its owner can read it. It gets its name when it is complete. Raises `FileExistsError`.
    """
    records = export(services, with_hashes=with_hashes)
    with _folder_writer(path) if as_csv and path else _file_writer(path, out) as put:
        async for kind, found in records:
            put(kind, found)
            advance(kind, len(found))


@contextmanager
def _file_writer(path: Path | None, out: IO[bytes]) -> Iterator[Callable[[str, list[dict[str, Any]]], None]]:
    if path is None:
        yield lambda _, found: _write_lines(out, found)
        out.flush()
        return
    _refuse_existing(path)
    partial = path.with_name(f"{path.name}.partial")
    with _private(partial) as file:
        yield lambda _, found: _write_lines(file, found)
    partial.replace(path)


def _write_lines(out: IO[bytes], found: list[dict[str, Any]]) -> None:
    out.write("".join(f"{_ENCODE(values)}\n" for values in found).encode())


@contextmanager
def _folder_writer(path: Path) -> Iterator[Callable[[str, list[dict[str, Any]]], None]]:
    _refuse_existing(path)
    partial = path.with_name(f"{path.name}.partial")
    partial.mkdir(mode=0o700, exist_ok=True)
    files = {kind: _private(partial / name) for name, kind in FILES.items()}
    columns = {kind: [name for name in _ORDER[kind] if name != "type"] for kind in files}

    def put(kind: str, found: list[dict[str, Any]]) -> None:
        files[kind].write(_rows([[_cell(values.get(name)) for name in columns[kind]] for values in found]))

    try:
        for kind, names in columns.items():
            files[kind].write(_rows([names]))
        yield put
    finally:
        for file in files.values():
            file.close()
    partial.rename(path)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return escape(_ENCODE(value))
    return "" if value is None else escape(str(value))


def _rows(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _private(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path} exists already.")


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ORDER = {
    kind: sorted(model.model_fields, key=lambda name: (name != "id", name == "password_hash"))
    for kind, model in TYPES.items()
}


_PROGRAMS = page(select(Program.__table__), Program.id)
_USERS = page(select(User.__table__), User.id)
_CODES = page(select(ReferralCode.__table__), ReferralCode.id)
_REFERRALS = page(
    select(Referral.__table__, ReferralCode.code).join(ReferralCode, ReferralCode.id == Referral.code_id),
    Referral.id,
)
