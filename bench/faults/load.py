"""A logged load: what each client asked for, and what the service acknowledged."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from logged_requests import TIMEOUT, Attempt, attempt, is_final

PASSWORD = "seven lanterns on the hill"
PAUSE = 0.1
"""Seconds between two attempts of a request that has failed."""


@dataclass
class History:
    """What was acknowledged."""

    attempts: list[Attempt] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    """The code of the referrer, or an empty text, by the id of the user."""
    codes: dict[str, str] = field(default_factory=dict)
    """The owner by code."""
    replaced: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    """Active codes."""
    ended: list[tuple[str, str]] = field(default_factory=list)
    """Access token and refresh token of sessions that were signed out."""
    surprises: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """A person after the other: signs up, makes codes, refreshes, and signs out. Repeats what fails."""

    def __init__(self, port: int, history: History, stopping: threading.Event, pause: float) -> None:
        super().__init__(daemon=True)
        self._port, self._history, self._stopping, self._pause = port, history, stopping, pause

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._live()
            except InterruptedError:
                return

    def _live(self) -> None:
        history, email = self._history, f"{uuid4().hex}@example.com"
        code = history.shared[-1] if history.shared else ""
        who = {"email": email, "password": PASSWORD}
        status, user = self.ask("POST", "/api/v1/users", who | ({"referral_code": code} if code else {}))
        self._expect(status, 201, "sign-up")
        if status != 201:
            return
        history.users[user["id"]] = code
        status, tokens = self.ask("POST", "/api/v1/sessions", who)
        self._expect(status, 201, "sign-in")
        if status != 201:
            return
        made = []
        for replacing in (False, True):
            body = {"lifetime": 3600, "active": not replacing}
            status, answer = self.ask("POST", "/api/v1/me/referral-codes", body, tokens)
            self._expect(status, 201, "code")
            if status != 201:
                return
            made.append(answer["code"])
            history.codes[answer["code"]] = user["id"]
        status, _ = self.ask(
            "POST", f"/api/v1/me/referral-codes/{made[1]}/activate", {"replace": True}, tokens
        )
        self._expect(status, 200, "replacement")
        history.replaced.append(made[0])
        history.shared.append(made[1])
        self.ask("GET", f"/api/v1/referral-codes/{made[1]}")
        status, answer = self.ask("DELETE", "/api/v1/me/sessions/current", None, tokens)
        if status in (204, 401):  # 401: a lost response had ended it
            history.ended.append((tokens["access_token"], tokens["refresh_token"]))
        self._expect(status, (204, 401), "sign-out")

    def _expect(self, status: int, wanted: Any, what: str) -> None:
        if status not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            self._history.surprises.append(f"{what}: {status}")

    def ask(self, method: str, path: str, body: Any = None, tokens: Any = None) -> tuple[int, Any]:
        """Return status and body of the first response below 500, which a repetition gets with the same key."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
        if tokens:
            headers["Authorization"] = f"Bearer {tokens['access_token']}"
        content = json.dumps(body) if body is not None else None
        while True:
            if self._stopping.wait(self._pause):
                raise InterruptedError
            outcome, answer = attempt(
                f"127.0.0.1:{self._port}", method, path, content, headers, is_write=method != "GET"
            )
            self._history.attempts.append(outcome)
            if is_final(outcome.status, answer):
                return outcome.status, json.loads(answer) if answer else None
            time.sleep(PAUSE)


@contextmanager
def running(port: int, *, clients: int, pause: float = 0) -> Iterator[History]:
    """Yield the history of a load that runs during the block. Each client pauses before each request."""
    history, stopping = History(), threading.Event()
    threads = [Client(port, history, stopping, pause) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield history
    finally:
        stopping.set()
        for thread in threads:
            thread.join(TIMEOUT + 5)
