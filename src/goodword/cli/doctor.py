"""`goodword doctor`: look at an installation, running or stopped."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from goodword.doctor.findings import Check, Finding

COLORS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write the findings as JSON.")] = False,
) -> None:
    """Check the settings, the database and all else that an installation needs. No data is changed.

    Exits with 1 if there is an error. The service may be running or stopped.
    """
    import structlog
    from rich.console import Console

    from goodword.doctor.examination import examine
    from goodword.doctor.findings import Level

    # The findings say what the log would.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    found = examine()
    if as_json:
        typer.echo(json.dumps({"findings": [_described(*one) for one in found]}, indent=2))
    else:
        console = Console(highlight=False)
        console.print(table(found))
        console.print(summary(found))
    if any(finding.level is Level.ERROR for _, finding in found):
        raise typer.Exit(1)


def _described(check: "Check", finding: "Finding") -> dict[str, object]:
    needs_work = finding.checked and finding.level != "ok"
    return {
        "id": check.id,
        "level": finding.level,
        "title": _plain(check.title),
        "text": finding.text,
        "checked": finding.checked,
        "remedy": _plain(check.remedy) if needs_work else None,
    }


def _plain(text: str) -> str:
    """Return a text of the documents without its marks for code."""
    return text.replace("`", "")


def table(found: "Sequence[tuple[Check, Finding]]") -> "Table":
    """Return one line for each finding, and a remedy where one is needed."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True, min_width=len("warning"))
    shown.add_column(no_wrap=True)
    shown.add_column()
    for check, finding in found:
        text = Text(finding.text)
        if finding.checked and finding.level != "ok":
            text.append(f"\n{_plain(check.remedy)}", style="italic")
        shown.add_row(Text(finding.level, style=COLORS[finding.level]), Text(check.id), text)
    return shown


def summary(found: "Sequence[tuple[Check, Finding]]") -> str:
    """Return the number of checks that were made, and of what they found."""
    made = [finding for _, finding in found if finding.checked]
    counts = [
        (level, sum(finding.level == level for finding in made)) for level in ("error", "warning", "note")
    ]
    results = ", ".join(f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts)
    return f"\n{len(made)} of {len(found)} checks made: {results}."
