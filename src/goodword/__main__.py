"""`python -m goodword` is the `goodword` command."""

from goodword.cli.main import main

main()
