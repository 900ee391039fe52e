"""Write the SQL for PostgreSQL of each migration after the first one, for `squawk`, to a file of a folder."""

import sys
from itertools import pairwise
from pathlib import Path

from alembic import command

from goodword import migrations

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
revisions = list(migrations.titles())
for previous, revision in pairwise(revisions):
    config = migrations.make_config()
    with (folder / f"{revision}.sql").open("w") as config.output_buffer:
        command.upgrade(config, f"{previous}:{revision}", sql=True)
