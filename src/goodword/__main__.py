"""`python -m goodword` is the `goodword` command."""

from goodword.cli import app

app(prog_name="goodword")
