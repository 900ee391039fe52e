"""The brand of the operator on pages, in e-mails, in the documentation and in link previews."""

import random
import re
from html import unescape
from typing import Any

import pytest

from asgi import replaced
from goodword.config.brand_colors import stylesheet
from people import make_code
from second_service import second_service
from sweeps import Sweep
from third_party import Browser

pytestmark = pytest.mark.one_database

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>'
ACME: dict[str, Any] = {
    "brand_name": "Acme & Söhne",
    "brand_url": "https://acme.example",
    "brand_color": "#ffcc00",
    "brand_credit": "off",
    "terms_url": "https://acme.example/terms",
    "privacy_url": "https://acme.example/privacy",
    "support_email": "help@acme.example",
    "postal_address": "1 Main Street, Springfield",
    "offer": "en=A month for free, for you both; ru=Месяц бесплатно вам обоим",
    "share_text": "Try Acme with me",
}


@pytest.fixture
def logo(tmp_path):
    path = tmp_path / "logo"
    path.write_bytes(PNG)
    return path


@pytest.fixture
async def acme(database_url, api, logo):
    async with second_service(database_url, brand_logo=logo, **ACME) as client:
        yield client


async def test_no_page_names_goodword(acme, alice):
    code = await make_code(alice)
    paths = [
        "/",
        "/sign-in",
        "/sign-up",
        "/forgot-password",
        f"/r/{code['code']}",
        "/r/NOSUCHCODE",
        "/nowhere",
    ]
    paths += ["/docs", "/redoc", "/docs/oauth2-redirect"]
    for path in paths:
        text = (await acme.get(path, headers={"Accept": "text/html"})).text
        assert "Acme &amp; Söhne" in text, path
        assert "Goodword" not in text, path
    assert (await acme.get("/openapi.json")).json()["info"]["title"] == "Acme & Söhne"


def page_paths(app):
    """Return the paths of all pages, files of lists included, that can be read without the id of an object."""
    api = ("/api/", "/oauth/", "/.well-known/", "/livez", "/readyz")
    routes = (route for route in app.routes if "GET" in (getattr(route, "methods", None) or ()))
    found = {route.path.replace("{name:rest}", "") for route in routes if not route.path.startswith(api)}
    return sorted(path for path in found if "{" not in path)


async def test_nothing_that_users_and_administrators_read_names_goodword(acme, alice, rita):
    browser = Browser(acme)
    await browser.sign_in(rita)
    code = (await make_code(alice))["code"]
    tree = (
        f"/admin/people/{alice.id}",
        f"/admin/people/{alice.id}/tree",
        f"/r/{code}",
        f"/r/{code}/card.png",
    )
    paths = [*page_paths(acme.app), *tree, "/code/qr.svg?download"]
    assert len(paths) > 25

    with Sweep() as sweep:
        for path in paths:
            with sweep.case(path):
                answer = await browser.get(path, headers={"Accept": "text/html"})
                shown = re.sub("<code>goodword [^<]*</code>", "", answer.text)
                assert "Goodword" not in shown
                assert "goodword" not in answer.headers.get("Content-Disposition", "").lower()
        with sweep.case("export"):
            headers = {"Authorization": f"Bearer {alice.tokens['access_token']}"}
            answer = await acme.get("/api/v1/me/export", headers=headers)
            assert "Goodword" not in answer.text
            assert "goodword" not in answer.headers["Content-Disposition"].lower()


async def test_signed_in_pages_show_the_brand_and_the_own_share_text(acme, alice):
    code = await make_code(alice)
    browser = Browser(acme)
    await browser.sign_in(alice)

    for path in ("/", "/people", "/account"):
        text = (await browser.get(path)).text
        assert "Acme &amp; Söhne" in text
        assert "Goodword" not in text
    home = (await browser.get("/")).text
    assert "text=Try%20Acme%20with%20me" in unescape(home)
    assert code["code"] in home


async def test_the_footer_leads_to_terms_privacy_and_support(acme):
    footer = (await acme.get("/sign-in")).text.partition("<footer>")[2]

    assert re.findall(r'href="([^"]+)"', footer) == [
        "https://acme.example/terms",
        "https://acme.example/privacy",
        "mailto:help@acme.example",
    ]


async def test_the_credit_can_be_hidden(database_url, api):
    credit = "Runs on Goodword"
    async with second_service(database_url, brand_name="Acme") as shown:
        assert credit in (await shown.get("/sign-in")).text
    async with second_service(database_url, brand_name="Acme", brand_credit="off") as hidden:
        assert credit not in (await hidden.get("/sign-in")).text
    assert credit not in (await api.get("/sign-in")).text


async def test_a_link_shows_the_offer_in_the_language_of_the_visitor(acme, alice):
    path = f"/r/{(await make_code(alice))['code']}"

    english, russian = [
        (await acme.get(path, headers={"Accept-Language": language})).text for language in ("en", "ru")
    ]

    assert "<h1>Alice L. invites you to Acme &amp; Söhne</h1>" in english
    assert english.count("A month for free, for you both") == 3  # the page, its description and its preview
    assert '<meta property="og:site_name" content="Acme &amp; Söhne">' in english
    assert "Месяц бесплатно вам обоим" in russian


@pytest.mark.parametrize(("content", "name"), [(PNG + bytes(2000), "logo.png"), (SVG, "logo.svg")])
async def test_a_logo_is_an_image_that_runs_no_scripts(database_url, api, tmp_path, content, name):
    path = tmp_path / "logo"
    path.write_bytes(content)
    async with second_service(database_url, brand_logo=path, brand_name="Acme") as client:
        page = (await client.get("/sign-in")).text
        [source] = re.findall(r'<img src="([^"]+)" alt="Acme"', page)
        answer = await client.get(source)

    assert source.startswith(f"/pages/{name}?v=")
    assert f'<link rel="icon" href="{source}">' in page
    assert answer.content == content
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_the_name_is_no_password(acme):
    for password in ("Acme & Söhne", "acme&söhne"):
        answer = await acme.post("/api/v1/users", json={"email": "bob@example.com", "password": password})
        assert answer.json()["code"] == "password_too_personal"


async def test_the_name_is_no_code(acme, alice):
    alice.api = acme
    answer = await alice.post("/api/v1/me/referral-codes", {"lifetime": 3600, "code": "acme"})

    assert answer.json()["code"] == "code_reserved"


async def test_the_export_is_named_after_the_brand(acme, alice):
    alice.api = acme
    answer = await alice.call("GET", "/api/v1/me/export")

    assert answer.headers["content-disposition"] == 'attachment; filename="acme-s-hne-export.json"'


PRODUCT = "https://app.acme.example/welcome"


@pytest.fixture
def product(app):
    """Users continue at the product after the sign-up."""
    settings = app.state.services.settings.model_copy(update={"after_sign_up_url": PRODUCT})
    with replaced(app, settings=settings):
        yield


@pytest.mark.parametrize("path", ["/sign-up", "/r/{code}"])
async def test_a_new_user_continues_at_the_product(product, browser, alice, path):
    code = (await make_code(alice))["code"]
    page = await browser.get(path.format(code=code))

    answer = await browser.send(page, email="bob@example.com", password="eleven quiet rivers")

    assert answer.headers["location"] == PRODUCT
    # Chromium applies the policy of a form to the redirect after it.
    assert "form-action 'self' https://app.acme.example" in page.headers["content-security-policy"]


async def test_a_new_user_who_came_from_a_page_returns_to_it(product, browser):
    page = await browser.get("/sign-up?next=/people")

    answer = await browser.send(page, email="bob@example.com", password="eleven quiet rivers")

    assert answer.headers["location"] == "/people"


def luminance(color):
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(part * value for part, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """Return the contrast ratio of two colours (WCAG 2.2)."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_any_colour_can_be_read():
    chosen = random.Random(16)
    colors = ["#000000", "#ffffff", "#ff0000", "#00ff00", "#0000ff", "#ffff00"]
    colors += [f"#{chosen.randrange(1 << 24):06x}" for _ in range(194)]
    failed = []
    for color in colors:
        light, dark = (
            dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rules))
            for rules in stylesheet(color).split("@media")
        )
        for theme, grounds in ((light, ("#f4f6f4", "#ffffff")), (dark, ("#121815", "#1b231f"))):
            pairs = [(theme["accent"], ground) for ground in grounds]
            pairs += [(theme[name], theme["on-accent"]) for name in ("accent", "accent-hover")]
            failed += [(color, *pair) for pair in pairs if contrast(*pair) < 4.5]

    assert failed == []


async def test_the_stylesheet_has_the_colour(acme, api):
    plain, branded = [
        (
            await client.get(
                re.search(r'href="(/pages/style.css[^"]*)"', (await client.get("/sign-in")).text)[1]
            )
        ).text
        for client in (api, acme)
    ]

    assert branded == plain + stylesheet("#ffcc00")
