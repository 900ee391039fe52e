"""Delivers what Acme has to tell Goodword: at once, or when Goodword is back."""

import json
import logging
import threading
from typing import Any

from accounts import Accounts, Report
from goodword_api import Goodword, Refused, Unavailable

logger = logging.getLogger("acme")


class Reporter:
    """Sends the reports that wait in the database. A thread repeats those that Goodword has not confirmed."""

    def __init__(self, accounts: Accounts, goodword: Goodword, every_seconds: float) -> None:
        self._accounts, self._goodword = accounts, goodword
        self._one_at_a_time, self._stopping = threading.Lock(), threading.Event()
        self._every_seconds = every_seconds

    def run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            self.deliver()

    def stop(self) -> None:
        self._stopping.set()

    def deliver(self, user_id: str | None = None) -> None:
        """Send the reports about a user, or all, oldest first, until a call gets no answer."""
        try:
            for report in self._accounts.reports(user_id):
                self._send(report)
        except Unavailable:
            logger.warning("Goodword is away: the reports wait")

    def _send(self, report: Report) -> None:
        with self._one_at_a_time:
            if not self._accounts.is_waiting(report):  # delivered, or the user was deleted meanwhile
                return
            answer: dict[str, Any] = {}
            try:
                answer = self._goodword.call(
                    report.method, report.path, json.loads(report.body), key=report.key, attempts=1
                )
            except Refused as refused:
                logger.warning("%s %s: %s", report.method, report.path, refused)
            self._accounts.delivered(report, answer)
