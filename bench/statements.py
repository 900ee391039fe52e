"""Print the statements that PostgreSQL receives for a sign-up, and for a code created, activated and deleted.

    PYTHONPATH=tests .venv/bin/python bench/statements.py

`signup.pgbench.sql` and `code.pgbench.sql` must have the same ones.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from client import Request, send_once, tokens
from parts.codes import PATH, TERM
from seed import Crowd, code
from stack import CHEAP, Server, stack

CROWD = Crowd(people=10, stars=(1, 1))
OWNER = 7
"""A user without a code."""
LOGGED = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*?)(?=\n\d{4}-\d\d-\d\d |$)", re.DOTALL)


def main() -> None:
    with TemporaryDirectory() as name, stack(Path(name), options=["--log_statement=all"]) as all_of_it:
        all_of_it.fill(CROWD)
        with all_of_it.service(CHEAP, workers=1) as service:
            show(service, Path(f"/proc/{all_of_it.postgres.pid}/fd/2").resolve())


def show(service: Server, log: Path) -> None:
    """Send each request twice, and print the statements of the second time: the first one fills caches."""
    [token] = tokens(service, [OWNER])
    for number in range(2):
        body = {"email": f"new{number}@example.net", "password": "quiet otters swim at dawn"}
        name = f"LANTERN-{number}"
        path = f"{PATH}/{name}"
        requests = {
            "sign-up": Request("POST", "/api/v1/users", body | {"referral_code": code(2)}),
            "create": Request("POST", PATH, TERM | {"code": name, "active": False}, token),
            "activate": Request("POST", f"{path}/activate", {}, token),
            "delete": Request("DELETE", path, None, token),
        }
        for title, request in requests.items():
            before = log.stat().st_size
            send_once(service, [request])
            if number:
                print(f"\n-- {title}", *_statements(log.read_bytes()[before:].decode()), sep="\n")


def _statements(log: str) -> Iterator[str]:
    for match in LOGGED.finditer(log):
        yield match[1].strip() + ";"


if __name__ == "__main__":
    main()
