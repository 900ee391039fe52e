"""Search all tables of the database for words, as after an erasure."""

from sqlalchemy import text


async def find_words(app, *words):
    """Return (table, word) for each word in any column of a table, whatever its type, on either database."""
    from goodword.tables import Base

    found = set()
    for table in Base.metadata.sorted_tables:
        for row in await app.state.services.database.rows(text(f"SELECT * FROM {table.name}")):
            shown = " ".join(
                value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row
            ).lower()
            found |= {(table.name, word) for word in words if word.lower() in shown}
    return found
