"""A load of sign-ups and code creations with idempotency keys, and a history of what was acknowledged."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from logged_requests import TIMEOUT, Attempt, attempt, is_final
from people import PASSWORD

CLIENTS = 3
CODES = 3
"""For each user."""
PAUSE = 0.05


@dataclass
class History:
    """What the clients of one route asked for, and what was acknowledged."""

    url: str
    attempts: list[Attempt] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

    def written(self, since: float = 0) -> list[float]:
        """Return when writes ended that began after `since` and succeeded."""
        return sorted(
            one.ended for one in self.attempts if one.is_write and one.status == 201 and one.began > since
        )

    def pause(self) -> float:
        """Return the longest time between two writes that succeeded."""
        return max(after - before for before, after in pairwise(self.written()))

    def unavailable(self) -> int:
        return sum(one.status == 503 for one in self.attempts)

    def errors(self) -> int:
        """Return how many requests had no response, or another error of the server."""
        return sum(one.status <= 0 or (one.status >= 500 and one.status != 503) for one in self.attempts)


class Client(threading.Thread):
    """Signs up, signs in and creates codes, again and again. Repeats what fails."""

    def __init__(self, history: History, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._history, self._stopping = history, stopping

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._live()
            except InterruptedError:
                return

    def _live(self) -> None:
        account = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        user = self._ask("/users", account)
        if user is None:
            return
        self._history.users.append(user["id"])
        tokens = self._ask("/sessions", account)
        if tokens is None:
            return
        for _ in range(CODES):
            code = self._ask(
                "/me/referral-codes", {"lifetime": 3600, "active": False}, tokens["access_token"]
            )
            if code is None:
                return
            self._history.codes.append(code["code"])

    def _ask(self, path: str, body: dict[str, Any], token: str | None = None) -> Any:
        """Repeat a request with the same key until it is answered. Return the content of a 201."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        while True:
            status, answer = self._try(
                f"/api/v1{path}", json.dumps(body), headers, is_write=path != "/sessions"
            )
            if status == 201:
                return json.loads(answer)
            if is_final(status, answer):
                self._history.surprises.append(f"{path}: {status} {answer[:200]!r}")
                return None

    def _try(self, path: str, body: str, headers: dict[str, str], *, is_write: bool) -> tuple[int, bytes]:
        if self._stopping.wait(PAUSE):
            raise InterruptedError
        place = urlsplit(self._history.url).netloc
        outcome, answer = attempt(place, "POST", path, body, headers, is_write=is_write)
        self._history.attempts.append(outcome)
        return outcome.status, answer


@contextmanager
def running_load(urls: dict[str, str]) -> Iterator[dict[str, History]]:
    """Yield the history by route of a load that runs during the block."""
    histories, stopping = {route: History(url) for route, url in urls.items()}, threading.Event()
    clients = [Client(history, stopping) for history in histories.values() for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield histories
    finally:
        stopping.set()
        for client in clients:
            client.join(TIMEOUT + 5)
