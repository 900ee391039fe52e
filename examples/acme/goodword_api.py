"""The part of Goodword's API that Acme calls, with an API key that never leaves the server."""

import time
import uuid
from typing import Any
from urllib.parse import quote

import httpx2


class Unavailable(Exception):
    """Goodword did not answer, or asked to come back later."""


class Refused(Exception):
    """Goodword answered with an error that a repetition would not change."""


class Goodword:
    """Calls Goodword. Each call is repeated with one idempotency key, so that it takes effect once."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx2.Client(
            base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=2
        )

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, attempts: int = 3
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        for attempt in range(attempts):
            try:
                answer = self._http.request(method, path, json=body, headers=headers)
            except httpx2.TransportError:
                wait = 0.2 * 2**attempt
            else:
                if answer.is_success:
                    return answer.json() if answer.content else {}
                is_running = "idempotency_key_in_use" in answer.text
                if answer.status_code != 429 and answer.status_code < 500 and not is_running:
                    raise Refused(answer.text)
                wait = min(float(answer.headers.get("Retry-After", 1)), 2)
            if attempt + 1 < attempts:
                time.sleep(wait)
        raise Unavailable

    def participant(self, user_id: str) -> dict[str, Any]:
        return self.call("GET", _path(user_id))

    def create_code(self, user_id: str, lifetime: int) -> dict[str, Any]:
        return self.call("POST", _path(user_id) + "/codes", {"lifetime": lifetime})

    def create_token(self, user_id: str) -> str:
        return str(self.call("POST", _path(user_id) + "/tokens")["access_token"])


def _path(user_id: str) -> str:
    return f"/participants/{quote(user_id, safe='')}"
