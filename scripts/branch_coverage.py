"""Print the share of lines and of branches that the tests execute. Fails below 95 % of the branches.

`branch_coverage.py FILE`, a merged result of SlipCover.
"""

import json
import sys
from pathlib import Path

LEAST = 95


def share(summary: dict[str, int], what: str) -> float:
    """Return the percentage of lines or branches that were executed."""
    covered = summary[f"covered_{what}"]
    return 100 * covered / (covered + summary[f"missing_{what}"])


def main(file: Path) -> int:
    summary = json.loads(file.read_text())["summary"]
    print(
        f"Executed: {share(summary, 'lines'):.1f} % of the lines, {share(summary, 'branches'):.1f} % of the branches"
    )
    return int(share(summary, "branches") < LEAST)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
