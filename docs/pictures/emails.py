"""Take pictures of all e-mails with headless Chromium: `make pictures`."""

import subprocess
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goodword.config.settings import Settings
from goodword.languages import LANGUAGES, format_time
from goodword.mail import messages
from goodword.mail.messages import MessageContents, MessageKind
from goodword.money import format_money

HERE = Path(__file__).parent
SITE = "https://refer.example.com"
TOKENS = {
    MessageKind.VERIFY_EMAIL: "/verify-email#token=gwv_3kX0…",
    MessageKind.RESET_PASSWORD: "/reset-password#token=gwv_3kX0…",
    MessageKind.CHANGE_EMAIL: "/confirm-email#token=gwv_3kX0…",
    MessageKind.WEBHOOK_DISABLED: "/sign-in?next=/admin/webhooks/019aa8c2-7a51-7c1e-9d3f-6a0b4f2e8d11",
}
FRIENDS = {MessageKind.CODE_REQUESTED, MessageKind.INVITATION}
BRAND: dict[str, Any] = {
    "brand_name": "Acme Notes",
    "brand_color": "#7a3ff2",
    "offer": "en=A month of Pro for free, for you both; ru=Месяц Pro бесплатно вам обоим",
    "support_email": "help@acme.example",
    "postal_address": "1 Main Street, Springfield",
}
BRANDED = (MessageKind.INVITATION, MessageKind.VERIFY_EMAIL, MessageKind.FRIEND_JOINED)
OTHERS = FRIENDS | {MessageKind.FRIEND_JOINED, MessageKind.CODE_WANTED, MessageKind.CODE_EXPIRING}
OTHERS |= {MessageKind.REWARD_EARNED}


def html(kind: MessageKind, language: str, brand: dict[str, Any]) -> bytes:
    contents = MessageContents(
        recipient=None if kind in FRIENDS else "Bob",
        link=SITE + TOKENS.get(kind, "/r/7KQ2M9XWPA" if kind in FRIENDS else "/"),
        expires_at=format_time(language, datetime(2026, 12, 1, 12, tzinfo=UTC)),
        days=3,
        name="Alice L.",
        code="7KQ2M9XWPA",
        earned=format_money(language, 499, "USD"),
        unsubscribe_link=f"{SITE}/unsubscribe?token=gwu_8fYw…" if kind in OTHERS else None,
    )
    message = messages.build_message(
        kind,
        to="bob@example.com",
        job_id=uuid.UUID(int=0),
        settings=Settings(public_url=SITE, **brand),
        now=datetime.now(UTC),
        language=language,
        contents=contents,
    )
    body = message.get_body(("html",))
    assert body is not None
    return body.get_content().encode()


def draw(kind: MessageKind, language: str, name: str, brand: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "email.html")
        page.write_bytes(html(kind, language, brand))
        command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=620,680"]
        command += [f"--screenshot={HERE / name}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)


for language in LANGUAGES:
    for kind in MessageKind:
        draw(kind, language, f"email-{kind}-{language}.png", {})
    for kind in BRANDED:
        draw(kind, language, f"brand-email-{kind}-{language}.png", BRAND)
