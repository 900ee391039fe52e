"""Counters of the rate limits in memory that the processes of a node share."""

import mmap


class Counts:
    """A table of fixed size with eight slots for each key. The lowest count is evicted.

    A million addresses take no more memory than one, and high counts survive many single requests. Processes
    that are forked later share the table. There is no lock: of two increments of one key in the same microsecond one
    may be lost.
    """

    PLACES = 1 << 17
    WAYS = 8
    COLUMNS = 4

    def __init__(self) -> None:
        words, places = memoryview(mmap.mmap(-1, self.PLACES * self.COLUMNS * 8)).cast("Q"), self.PLACES
        self._keys = words[:places]
        self.ends = words[places : 2 * places]
        """End of the window in milliseconds."""
        self.numbers = words[2 * places : 3 * places]
        self.unsynced = words[3 * places :]
        """The part of the count that was not sent to Redis."""

    def find(self, key: int) -> int | None:
        """Return the slot of `key`, a 64-bit number, in any window, or None."""
        begin = key % self.PLACES & -self.WAYS
        keys = self._keys[begin : begin + self.WAYS].tolist()
        return begin + keys.index(key) if key in keys else None

    def place(self, key: int, now: int, window_ms: int) -> int:
        """Return the slot of `key` in the current window. Begin the window if there is none."""
        at = self.find(key)
        if at is None:
            at = self._give_way(key, now)
        elif now < self.ends[at] <= now + 2 * window_ms:  # a later end: the clock was set back
            return at
        self.numbers[at] = self.unsynced[at] = 0
        self.ends[at] = now + window_ms
        self._keys[at] = key
        return at

    def _give_way(self, key: int, now: int) -> int:
        begin = key % self.PLACES & -self.WAYS
        values = self.ends[begin : begin + self.WAYS].tolist()
        if min(values) > now:
            values = self.numbers[begin : begin + self.WAYS].tolist()
        return begin + values.index(min(values))
