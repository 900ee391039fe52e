"""Referral links with a touch, beside the same page without one."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

import seed
from row import Figure, Goal, Measure, Result, Row
from seed import HOT
from stack import Stack
from wrk import drive

BROWSER = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0\r\n"
BROWSER += "Referer: https://news.example/page"
ROBOT = "User-Agent: Twitterbot/1.0"
NOTICED = 1.2
"""Seconds after which all processes know a changed program."""
CPU = Figure("CPU of limit", lambda found: found.cpu, Goal(1.5, 1.2, more=False), of_limit=True)


@contextmanager
def links(stack: Stack) -> Iterator[list[Row]]:
    paths = [f"/r/{seed.code(owner)}" for owner in HOT[:100]]

    def measure(header: str, target: str | None) -> Measure:
        def run(seconds: float) -> Result:
            asyncio.run(_lead_to(stack.postgres.url, target))
            time.sleep(NOTICED)
            return drive(service, paths, seconds, header=header)

        return run

    with stack.service() as service:
        without = measure(ROBOT, None)
        target = "https://acme.example/join?ref={code}&utm_source=goodword"
        yield [
            Row("link: landing page with a touch", measure(BROWSER, None), [CPU], without, "without a touch"),
            Row(
                "link: redirect with a touch",
                measure(BROWSER, target),
                [CPU],
                without,
                "landing page without a touch",
            ),
        ]
    asyncio.run(_lead_to(stack.postgres.url, None))


async def _lead_to(database_url: str, target: str | None) -> None:
    connection = await asyncpg.connect(seed.dsn(database_url))
    await connection.execute("UPDATE programs SET link_target = $1", target)
    await connection.close()
