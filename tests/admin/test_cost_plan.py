"""The costs of a program are summed from an index, without the rewards themselves."""

from goodword.admin import program_figures
from goodword.programs.models import DEFAULT_PROGRAM_ID
from query_plans import plans, recorded


async def test_costs_are_read_from_an_index_alone(api, app):
    services = app.state.services
    with recorded(services) as statements:
        async with services.database.transaction() as session:
            values = {"program_id": DEFAULT_PROGRAM_ID, "since": "2025-11"}
            await session.execute(program_figures.COSTS, values)

    parts = await plans(services, statements)

    if services.database.is_sqlite:
        assert any("USING COVERING INDEX ix_rewards_costs" in part for part in parts)
    else:
        used = [(part["Node Type"], part["Index Name"]) for part in parts if "Index Name" in part]
        assert used == [("Index Only Scan", "ix_rewards_costs")]
