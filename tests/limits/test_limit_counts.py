"""The table of counts: its size is fixed, and it forgets those who come once before those who come often."""

import random

from goodword.rate_limits.counters import Counts

MINUTE = 60_000


def test_a_flood_of_addresses_takes_no_more_room_and_frees_nobody():
    counts, drawn = Counts(), random.Random(17)
    busy = [drawn.getrandbits(64) for _ in range(100)]
    for key in busy:
        counts.numbers[counts.place(key, 0, MINUTE)] = 9

    for _ in range(2 * Counts.PLACES):
        counts.numbers[counts.place(drawn.getrandbits(64), 1, MINUTE)] += 1

    assert Counts.PLACES * Counts.COLUMNS * 8 == 4 * 1024 * 1024
    assert all(counts.numbers[counts.place(key, 2, MINUTE)] == 9 for key in busy)


def test_a_window_begins_with_the_first_and_ends():
    counts = Counts()
    at = counts.place(7, 1_000, MINUTE)
    counts.numbers[at] = 5

    assert counts.numbers[counts.place(7, 60_999, MINUTE)] == 5
    assert counts.numbers[counts.place(7, 61_000, MINUTE)] == 0
    assert counts.ends[at] == 121_000


def test_a_clock_that_is_set_back_shuts_nobody_out():
    counts = Counts()
    counts.numbers[counts.place(7, 1_000 * MINUTE, MINUTE)] = 5

    assert counts.numbers[counts.place(7, 5 * MINUTE, MINUTE)] == 0
    assert counts.ends[counts.place(7, 5 * MINUTE, MINUTE)] == 6 * MINUTE
