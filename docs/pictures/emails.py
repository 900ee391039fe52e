"""Take pictures of all e-mails with headless Chromium: `make pictures`."""

import subprocess
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

from goodword.config.settings import Settings
from goodword.languages import LANGUAGES
from goodword.mail import messages
from goodword.mail.messages import MessageContents, MessageKind

HERE = Path(__file__).parent
SITE = "https://refer.example.com"
TOKENS = {
    MessageKind.VERIFY_EMAIL: "/verify-email#token=gwv_3kX0…",
    MessageKind.RESET_PASSWORD: "/reset-password#token=gwv_3kX0…",
    MessageKind.CHANGE_EMAIL: "/confirm-email#token=gwv_3kX0…",
}
FRIENDS = {MessageKind.CODE_REQUESTED, MessageKind.INVITATION}
OTHERS = FRIENDS | {MessageKind.FRIEND_JOINED, MessageKind.CODE_WANTED, MessageKind.CODE_EXPIRING}


def html(kind: MessageKind, language: str) -> bytes:
    contents = MessageContents(
        recipient=None if kind in FRIENDS else "Bob",
        link=SITE + TOKENS.get(kind, "/r/7KQ2M9XWPA" if kind in FRIENDS else "/"),
        expires_at="2026-12-01, 12:00 UTC",
        days=3,
        name="Alice L.",
        code="7KQ2M9XWPA",
        unsubscribe_link=f"{SITE}/unsubscribe?token=gwu_8fYw…" if kind in OTHERS else None,
    )
    message = messages.build_message(
        kind,
        to="bob@example.com",
        job_id=uuid.UUID(int=0),
        settings=Settings(public_url=SITE),
        now=datetime.now(UTC),
        language=language,
        contents=contents,
    )
    body = message.get_body(("html",))
    assert body is not None
    return body.get_content().encode()


with tempfile.TemporaryDirectory() as folder:
    for kind in MessageKind:
        for language in LANGUAGES:
            page = Path(folder, "email.html")
            page.write_bytes(html(kind, language))
            picture = HERE / f"email-{kind}-{language}.png"
            command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=620,680"]
            subprocess.run(
                [*command, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True
            )
