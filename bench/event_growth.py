"""Measure how an event slows down as the number of events grows: the same calls with more and more of them stored."""

import argparse
import asyncio
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

import machine
import table
import wrk
from parts.events import bought, opened_shop
from row import Goal, in_turn, middle
from seed import CROWD, dsn
from stack import CHEAP, NO_CACHE, stack

RESULTS = Path(__file__).with_name("RESULTS-events.md")
GOAL = Goal(1.3, 1.1, more=False)
ADDED = """
WITH buyers AS (
    SELECT r.id AS referral_id, r.referrer_id, r.referee_id, r.program_id, row_number() OVER () - 1 AS place,
        count(*) OVER () AS many
    FROM referrals r JOIN users u ON u.id = r.referee_id WHERE u.external_id LIKE 'buyer-%'
), made AS (
    INSERT INTO events (id, created_at, program_id, type, participant_id, source_id, occurred_at, amount_minor,
        currency)
    SELECT gen_random_uuid(), now() - n * interval '1 second', b.program_id, 'purchase', b.referee_id,
        'stored-' || n, now() - n * interval '1 second', 4990, 'USD'
    FROM generate_series($1::bigint, $2::bigint) n JOIN buyers b ON b.place = n % b.many
    RETURNING id, participant_id, program_id, created_at
), earned AS (
    INSERT INTO rewards (id, created_at, program_id, rule_id, rule_version_id, event_id, referral_id, referrer_id,
        user_id, beneficiary, kind, amount_minor, remaining_minor, currency, status, is_automatic, month)
    SELECT gen_random_uuid(), m.created_at, m.program_id, rule.rule_id, rule.id, m.id, b.referral_id, b.referrer_id,
        CASE rule.beneficiary WHEN 'referrer' THEN b.referrer_id ELSE b.referee_id END, rule.beneficiary, rule.kind,
        499, 499, CASE rule.kind WHEN 'points' THEN NULL ELSE 'USD' END, 'fulfilled', true, '2026-01'
    FROM made m JOIN buyers b ON b.referee_id = m.participant_id CROSS JOIN reward_rules rule
    WHERE rule.retired_at IS NULL
    RETURNING id, created_at
)
INSERT INTO reward_entries (id, created_at, reward_id, to_status, amount_minor, actor)
SELECT gen_random_uuid(), created_at, id, 'fulfilled', 499, 'system' FROM earned
"""
"""Stores events from one number to another, each with two rewards and their entries."""


async def store(url: str, first: int, last: int) -> None:
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(ADDED.replace("$1", str(first)).replace("$2", str(last)))
    await connection.execute("VACUUM ANALYZE events")
    await connection.execute("VACUUM ANALYZE rewards")
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = [10**4, 10**5, 10**6]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="how many events, fewest first")
    parser.add_argument("--seconds", type=float, default=6, help="how long each size is measured")
    parser.add_argument("--rounds", type=int, default=3, help="in how many turns")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that gets the table")
    given = parser.parse_args()
    wrk.require()
    described, load = machine.described(), machine.load()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(TemporaryDirectory(prefix="goodword-bench-")))
        whole = open_things.enter_context(stack(folder))
        whole.fill(CROWD)
        service, key = open_things.enter_context(opened_shop(whole, CHEAP | NO_CACHE))
        measure, stored, found = bought(service, key, connections=1), 0, []
        for size in given.sizes:
            asyncio.run(store(whole.postgres.url, stored, size - 1))
            stored = size
            found.append(middle(in_turn([measure], rounds=given.rounds, seconds=given.seconds)[0]))
            print(size, found[-1], file=sys.stderr, flush=True)
    ratio = found[-1].p50 / found[0].p50
    rows = [
        ["an event with two rewards", *(f"{one.p50:.2f}" for one in found), str(sum(one.errors for one in found)),
         GOAL.shown(ratio), *GOAL.bounds, GOAL.reached(ratio)],
    ]  # fmt: skip
    head = ["p50 in ms, one client", *(f"{size:,} events" for size in given.sizes), "errors"]
    head += ["most / fewest", "least", "aim", "reached"]
    text = "\n".join(
        [
            "# Results of `make bench-scale` for events\n",
            f"{described}. PostgreSQL; Each stored event has two rewards with an entry each.",
            f"Load average before {load}, after {machine.load()}; {given.seconds:g} s for each figure.\n",
            table.render(rows, head),
        ]
    )
    print(text)
    given.results.write_text(text + "\n")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
