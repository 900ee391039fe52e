"""`python -m goodword` is the `goodword` command."""

from goodword.cli.main import app

app(prog_name="goodword")
