"""The letters of the service under test, as their readers get them."""

import email
import email.policy
import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from typing import Any

from fastapi import FastAPI

from asgi import run_due_jobs


@dataclass(frozen=True)
class Letter:
    kind: str
    to: str
    text: str
    html: str
    message_id: str

    @property
    def link(self) -> str:
        return re.search(r"^\S+#\S+$", self.text, re.MULTILINE)[0]

    @property
    def token(self) -> str:
        return self.link.partition("#token=")[2]


class Post:
    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._folder = app.state.services.settings.data_dir / "emails"

    async def __call__(self, *, to: str | None = None) -> list[Letter]:
        """Do what is due; the letters since the last time, or of them those to one address."""
        await run_due_jobs(self._app)
        found = self.kept()
        self.clear()
        return [letter for letter in found if to in (None, letter.to)]

    async def only(self, to: str) -> Letter:
        """The one letter that was written since the last time."""
        found = await self()
        assert [letter.to for letter in found] == [to]
        return found[0]

    def kept(self) -> list[Letter]:
        paths = sorted(self._folder.glob("*.eml"), key=lambda path: path.name.partition("-")[2])
        return [read(path) for path in paths]

    def clear(self) -> None:
        for path in self._folder.glob("*.eml"):
            path.unlink()


def read(path) -> Letter:
    # The old policy of `email` reads a message in a tenth of the time.
    message: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
    parts = (part.get_payload(decode=True).decode() for part in message.get_payload())
    text, html = (part.replace("\r\n", "\n") for part in parts)
    raw = dict(message.raw_items())["To"].encode("utf-8", "surrogateescape").decode()  # RFC 6532 or RFC 2047
    to = str(make_header(decode_header(raw)))
    return Letter(path.name.partition("-")[0], to, text, html, message["Message-ID"])
