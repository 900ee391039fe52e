"""Each e-mail as a saved `.eml` file, shown as a mail program shows it: on a phone and on a desktop."""

import base64
import email
import email.policy
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from goodword.config.brand_settings import read_logo
from goodword.config.settings import Settings
from goodword.languages import LANGUAGES
from goodword.mail.messages import MessageContents, MessageKind, build_message

SITE = "https://refer.example.com"
WCAG = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
BRAND: dict[str, Any] = {
    "brand_name": "Donaudampfschifffahrtsgesellschaft & Söhne",
    "brand_color": "#ffee00",
    "support_email": "a-long-name-for-the-support@donaudampfschifffahrt.example",
    "postal_address": "Uferpromenade 1234567890, 1010 Wien",
    "offer": "en=Three months for free, for you both; ru=Три месяца бесплатно для вас обоих",
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)


def html_of(kind, language, settings):
    """Return the HTML part of a message after a round trip through a file, with its inline logo."""
    contents = MessageContents(
        recipient="Maximiliane",
        link=f"{SITE}/verify-email#token=gwv_" + "x" * 60,
        name="Maximiliane-Charlotte B.",
        code="ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        expires_at="2030-02-03, 12:00 UTC",
        days=3,
        unsubscribe_link=f"{SITE}/unsubscribe?token=gwu_" + "y" * 64,
    )
    sent = build_message(
        kind,
        to="alice@example.com",
        job_id=uuid.UUID(int=1),
        settings=settings,
        now=datetime(2030, 1, 31, tzinfo=UTC),
        language=language,
        contents=contents,
    ).as_bytes()
    found = email.message_from_bytes(sent, policy=email.policy.default)
    html = found.get_body(("html",)).get_content()
    for part in found.walk():
        if part.get_content_type() == "image/png":
            picture = base64.b64encode(part.get_content()).decode()
            html = html.replace("cid:logo", f"data:image/png;base64,{picture}")
    return html


@pytest.fixture(params=["goodword", "brand"])
def settings(request, tmp_path):
    if request.param == "goodword":
        return Settings(public_url=SITE)
    path = tmp_path / "logo.png"
    path.write_bytes(PNG)
    return Settings(public_url=SITE, brand_logo=read_logo(path), **BRAND)  # type: ignore[arg-type]


@pytest.fixture
def shown(browser):
    """Show HTML in a window of its own. A request to any host fails the test."""
    requests: list[str] = []
    contexts = []

    def show(width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        context.route("**", lambda route: (requests.append(route.request.url), route.abort()))
        return context.new_page()

    yield show
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith("data:")] == []


@pytest.mark.parametrize("width", [320, 640])
def test_no_email_is_wider_than_the_screen(shown, settings, width):
    page = shown(width, "light")
    for kind in MessageKind:
        for language in LANGUAGES:
            page.set_content(html_of(kind, language, settings))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (kind, language)
            assert page.locator("h1").inner_text()
            if settings.brand_logo:
                assert page.evaluate("document.images[0].naturalWidth") > 0
            for button in page.locator("td > a").all():
                box = button.bounding_box()
                assert box is not None
                assert box["height"] >= 44, "the whole button is the link"
                assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_email_can_be_read_in_both_themes(shown, settings, scheme):
    page = shown(320, scheme)
    for kind in (MessageKind.INVITATION, MessageKind.CODE_REQUESTED):
        page.set_content(html_of(kind, "en", settings))
        found = Axe().run(page, options={"runOnly": WCAG})
        assert found.violations_count == 0, found.generate_report()
        ground = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
