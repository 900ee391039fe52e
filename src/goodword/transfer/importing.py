"""Import users, codes and referrals from a file, batch by batch."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from goodword.services import Services
from goodword.transfer import reading, records
from goodword.transfer.batches import SIZE, Importer, Item
from goodword.transfer.fields import Refusal
from goodword.transfer.mapping import Mapping
from goodword.transfer.reading import FileUnreadable, Line, Source
from goodword.transfer.rows import Deferred, Done

Advance = Callable[[int], None]
"""Called with the number of bytes that were read."""


@dataclass(slots=True)
class Counts:
    """Records by type and outcome."""

    created: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    refused: int = 0


@dataclass(slots=True)
class Progress:
    """How far an import has come, in the file `FILE.progress.json` after each batch."""

    source: int = 0
    offset: int = 0
    line: int = 0
    errors: int = 0
    """Bytes of the report."""
    deferred: int = 0
    """Bytes of the file of deferred records."""
    counts: Counts = field(default_factory=Counts)


@dataclass(slots=True)
class Import:
    """One run of an import. `path` is None for standard input, which cannot be resumed."""

    importer: Importer
    path: Path | None
    mapping: Mapping | None
    errors: IO[bytes]
    deferred: IO[bytes]
    advance: Advance
    progress: Progress = field(default_factory=Progress)

    async def run(self, sources: list[Source], stdin: IO[bytes] | None = None) -> Counts:
        """Import all files, then what was deferred. Raises `FileUnreadable`."""
        first = self.progress.source
        for number, source in enumerate(sources[first:], first):
            with ExitStack() as opened:
                file = stdin or opened.enter_context(source.path.open("rb"))
                await self._import_file(file, source)
            if number + 1 < len(sources):
                self.progress.source, self.progress.offset, self.progress.line = number + 1, 0, 0
        await self._import_deferred()
        return self.progress.counts

    async def _import_file(self, file: IO[bytes], source: Source) -> None:
        lines = reading.read(
            file, source, self.mapping, start=self.progress.offset, number=self.progress.line
        )
        batch = await asyncio.to_thread(_take, lines)
        while batch.items:
            # The next lines are read and checked while the database works.
            following = asyncio.create_task(asyncio.to_thread(_take, lines))
            try:
                await self._import_batch(batch.items)
            finally:
                await asyncio.wait([following])
            self.advance(batch.end - self.progress.offset)
            self.progress.offset, self.progress.line = batch.end, batch.line
            self._save()
            batch = following.result()

    async def _import_batch(self, batch: list[Item], *, last_chance: bool = False) -> int:
        """Import a batch, and write down what was refused or deferred. Return the number of records created."""
        outcomes = await self.importer.run(batch) if batch else []
        counts, created = self.progress.counts, 0
        for item, outcome in zip(batch, outcomes, strict=True):
            kind = "" if isinstance(item.record, Refusal) else item.record.type
            if outcome == Done.CREATED:
                counts.created[kind] += 1
                created += 1
            elif outcome == Done.UNCHANGED:
                counts.unchanged[kind] += 1
            elif isinstance(outcome, Deferred) and not last_chance:
                self._defer(item)
            else:
                counts.refused += 1
                self._report(item, outcome.refusal if isinstance(outcome, Deferred) else outcome)
        return created

    def _defer(self, item: Item) -> None:
        assert not isinstance(item.record, Refusal)
        values = item.record.model_dump(mode="json", exclude_unset=True) | {"type": item.record.type}
        self.deferred.write(json.dumps([item.file, item.line, values]).encode() + b"\n")

    def _report(self, item: Item, refusal: Any) -> None:
        found = {"line": item.line, "field": refusal.field or None, "code": refusal.code}
        if item.file:
            found = {"file": item.file, **found}
        self.errors.write(json.dumps(found).encode() + b"\n")

    def _save(self) -> None:
        """Write the progress, after what belongs to it."""
        if self.path is None or self.importer.session is not None:
            return
        self.errors.flush()
        self.deferred.flush()
        progress, counts = self.progress, self.progress.counts
        progress.errors, progress.deferred = self.errors.tell(), self.deferred.tell()
        values = {
            "file": _identity(self.path),
            **{name: getattr(progress, name) for name in _PLACES},
            "created": counts.created,
            "unchanged": counts.unchanged,
            "refused": counts.refused,
        }
        target = beside(self.path, "progress.json")
        partial = beside(self.path, "progress.json.partial")
        partial.write_text(json.dumps(values), encoding="utf-8")
        partial.replace(target)

    async def _import_deferred(self) -> None:
        """Import the deferred records again, until no more of them can be, and refuse the rest."""
        created, last_chance = 1, False
        with ExitStack() as opened:
            while not last_chance:
                last_chance = not created
                waiting, self.deferred = self.deferred, opened.enter_context(TemporaryFile())
                waiting.seek(0)
                created = 0
                for batch in _batches(waiting):
                    created += await self._import_batch(batch, last_chance=last_chance)


class _Batch(NamedTuple):
    items: list[Item]
    end: int
    line: int


def _take(lines: Iterator[Line]) -> _Batch:
    """Return the records of the next lines, and the end of these lines."""
    items: list[Item] = []
    end = number = 0
    for line in lines:
        items.extend(Item(line.file, line.number, found) for found in line.records)
        end, number = line.end, line.number
        if len(items) >= SIZE:
            break
    return _Batch(items, end, number)


def _batches(file: IO[bytes]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for line in file:
        name, number, values = json.loads(line)
        batch.append(Item(name, number, records.read(values)))
        if len(batch) >= SIZE:
            yield batch
            batch = []
    if batch:
        yield batch


def beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _identity(path: Path) -> list[Any]:
    """Return what tells one file from another, or from itself after a change."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def load_progress(path: Path) -> Progress | None:
    """Return the progress of an import that was interrupted, or None. Raises `FileUnreadable` if the file has changed."""
    try:
        values = json.loads(beside(path, "progress.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise FileUnreadable("The progress of the import cannot be read. Import without --resume.") from None
    if values["file"] != _identity(path):
        raise FileUnreadable(
            "The file has changed since the import was interrupted. Import without --resume."
        )
    counts = Counts(Counter(values["created"]), Counter(values["unchanged"]), values["refused"])
    places = {name: values[name] for name in _PLACES}
    return Progress(**places, counts=counts)


_PLACES = ("source", "offset", "line", "errors", "deferred")


async def run(
    services: Services,
    path: Path | None,
    *,
    stdin: IO[bytes] | None,
    as_csv: bool,
    mapping: Mapping | None,
    administrators: bool,
    dry_run: bool,
    resume: bool,
    errors: IO[bytes] | None,
    advance: Advance,
) -> Counts:
    """Import a file or standard input. Raises `FileUnreadable` and `MappingInvalid`."""
    progress = (load_progress(path) if resume and path else None) or Progress()
    sources = reading.sources(path, mapping) if path else [Source(Path("-"), as_csv)]
    with ExitStack() as opened:
        report = errors or opened.enter_context(
            _continued(beside(path or Path("-"), "errors.ndjson"), progress.errors)
        )
        deferred = (
            opened.enter_context(_continued(beside(path, "deferred"), progress.deferred))
            if path and not dry_run
            else opened.enter_context(TemporaryFile())
        )
        advance(progress.offset)

        async def run_in(session: AsyncSession | None) -> Counts:
            importer = Importer(services, administrators, session)
            return await Import(importer, path, mapping, report, deferred, advance, progress).run(
                sources, stdin
            )

        if dry_run:
            counts = await _rolled_back(services, run_in)
        else:
            counts = await run_in(None)
    if path and not dry_run:
        beside(path, "progress.json").unlink(missing_ok=True)
        beside(path, "deferred").unlink(missing_ok=True)
    return counts


class _RollBack(Exception):
    """Ends a trial."""


async def _rolled_back(services: Services, work: Any) -> Counts:
    found: list[Counts] = []
    try:
        async with services.database.transaction() as session:
            found.append(await work(session))
            raise _RollBack
    except _RollBack:
        return found[0]


def _continued(path: Path, size: int) -> IO[bytes]:
    """Open a private file, cut after the bytes that belong to the progress."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    file.truncate(size)
    file.seek(size)
    return file
