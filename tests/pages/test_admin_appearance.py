"""GET /admin/appearance: the settings of the brand, and what they look like."""

import pytest

from goodword.admin.pages import appearance
from goodword.config.brand_settings import BrandSettings

pytestmark = pytest.mark.one_database


def test_every_setting_of_the_brand_is_shown():
    assert set(BrandSettings.model_fields) <= set(appearance.SETTINGS)


async def test_the_settings_and_their_values(browser, rita):
    await browser.sign_in(rita)

    page = await browser.get("/admin/appearance")

    for name in appearance.SETTINGS:
        assert f"GOODWORD_{name.upper()}</span>" in page.text
    assert "not set" in page.text
    assert page.headers["content-security-policy"].endswith("; frame-src 'self'")
    for path in ("landing", "email", "card.png"):
        assert f'src="/admin/appearance/{path}"' in page.text


async def test_the_previews_may_be_framed_here_alone(browser, rita):
    await browser.sign_in(rita)

    for path, said in (("landing", "Alice invites you to Goodword"), ("email", "EXAMPLE-CODE")):
        page = await browser.get(f"/admin/appearance/{path}")
        assert said in page.text
        assert page.headers["x-frame-options"] == "SAMEORIGIN"
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy
        assert "frame-ancestors 'none'" not in policy
    assert "script-src" not in policy, "an e-mail has no scripts"
    card = await browser.get("/admin/appearance/card.png")
    assert card.content.startswith(b"\x89PNG")
    russian = await browser.get("/admin/appearance/landing", headers={"Accept-Language": "ru"})
    assert "Alice приглашает вас в Goodword" in russian.text
