"""The text of `goodword migrate --check`."""

from collections.abc import Iterator, Sequence

from goodword import migrations
from goodword.migrations.check import Report, TableLock


def lines(report: Report) -> Iterator[str]:
    """Yield the lines that tell an operator what the pending migrations would do."""
    if not report.pending:
        is_newer = report.revision != migrations.head()
        yield f"The schema is at {report.revision}{', which this older version can use' if is_newer else ''}."
        yield "No migration is pending."
        return
    yield f"The schema is at {report.revision}." if report.revision else "The database is empty."
    yield "Pending migrations:"
    yield from (f"  {revision}  {title}" for revision, title in report.pending)
    if report.revision:
        yield ""
        yield from _effects(report, report.revision)


def _effects(report: Report, revision: str) -> Iterator[str]:
    duration = "less than a second" if report.seconds < 1 else f"about {report.seconds:,.0f} s"
    if report.locks:
        yield "Locked until the migration ends:"
        yield from _table(report.locks)
        yield ""
        yield f"The migration takes {duration} on a server without other load, estimated from the sizes of the tables."
    else:
        yield f"On a copy of the database it took {duration}. Writes wait that long, reads do not."
    if report.oldest_code <= revision:
        yield "Nodes with the older version can go on meanwhile, and be replaced one after the other."
    else:
        yield f"Nodes with a version that is older than schema {report.oldest_code} stop working: stop them first."


def _table(locks: Sequence[TableLock]) -> Iterator[str]:
    rows = [
        ("table", "rows", "MB", "blocked"),
        *((one.table, f"{one.rows:,}", f"{one.bytes / 1e6:,.1f}", one.blocked) for one in locks),
    ]
    name, count, size = (max(len(row[column]) for row in rows) for column in range(3))
    for row in rows:
        yield f"  {row[0]:{name}}  {row[1]:>{count}}  {row[2]:>{size}}  {row[3]}"
