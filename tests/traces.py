"""What the database still knows of somebody."""


async def traces(app, *words):
    """The tables in which one of the words stands."""
    from goodword.tables import Base

    found = []
    for table in Base.metadata.sorted_tables:
        for row in await app.state.services.database.rows(table.select()):
            found += [(table.name, word) for word in words if word.lower() in str(tuple(row)).lower()]
    return found
