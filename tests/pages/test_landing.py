"""GET /r/{code}: the landing page."""

import re
from html import unescape

import pytest

from asgi import client_of, replaced
from goodword.social.clients import ProviderClients
from goodword.social.providers import GitHubProvider, OpenIDProvider, Provider
from people import make_code, register
from second_service import second_service
from third_party import Browser, Form

pytestmark = pytest.mark.one_database


def og(page):
    return {
        name: unescape(text) for name, text in re.findall(r'<meta property="og:(\w+)" content="(.*)">', page)
    }


async def test_shows_the_referrer_the_expiry_and_the_form(browser, alice):
    code = await make_code(alice, code="ALICE-2026")

    answer = await browser.get("/r/ALICE-2026")

    assert answer.status_code == 200
    assert "<h1>Alice L. invites you to Goodword</h1>" in answer.text
    assert f'<time datetime="{code["expires_at"][:19]}Z"' in answer.text
    form = Form(answer.text)
    assert form.action == "/sign-up"
    assert form.fields["referral_code"] == "ALICE-2026"
    assert answer.headers["cache-control"] == "no-store"
    assert "Liddell" not in answer.text
    assert alice.email not in answer.text


async def test_has_link_preview_metadata(browser, alice):
    code = await make_code(alice)

    shown = og((await browser.get(f"/r/{code['code']}")).text)

    assert shown["title"] == "Alice L. invites you to Goodword"
    assert shown["url"] == code["link"]
    assert (shown["type"], shown["site_name"]) == ("website", "Goodword")
    picture = await browser.get(shown["image"])
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_code_is_normalised(browser, alice):
    await make_code(alice, code="ALICE-2026")

    for typed in ("alice-2026", "ALICE2O26", "alice%202026"):
        assert Form((await browser.get(f"/r/{typed}")).text).fields["referral_code"] == "ALICE-2026"


@pytest.mark.parametrize(
    "code",
    ["NOSUCHCODE", "x", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "%22%3E%3Cb%3E", "%00", "é", "a" * 2000],
)
async def test_an_invalid_code_shows_a_page(browser, code):
    answer = await browser.get(f"/r/{code}", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_an_unusable_code_offers_registration_without_it(browser, alice):
    code = await make_code(alice)
    assert (await browser.get(f"/r/{code['code']}")).status_code == 200

    await alice.delete(f"/api/v1/me/referral-codes/{code['code']}")
    answer = await browser.get(f"/r/{code['code']}")

    assert answer.status_code == 404
    assert "This invitation is no longer valid" in answer.text
    assert 'href="/sign-up"' in answer.text
    assert "Alice" not in answer.text


async def test_a_cached_page_expires_with_the_code(browser, alice, clock):
    code = await make_code(alice, lifetime=60)
    assert (await browser.get(f"/r/{code['code']}")).status_code == 200

    clock.forward(seconds=60)

    assert (await browser.get(f"/r/{code['code']}")).status_code == 404


async def test_a_changed_name_is_shown_at_once(browser, alice):
    code = await make_code(alice)
    await browser.get(f"/r/{code['code']}")

    await alice.patch("/api/v1/me", {"first_name": "Alicia"})

    assert "Alicia L. invites you to Goodword" in (await browser.get(f"/r/{code['code']}")).text


async def test_markup_in_a_name_is_escaped(browser, api, alice):
    answer = await alice.patch(
        "/api/v1/me", {"first_name": '"><script>alert(1)</script>', "last_name": "%(x)s"}
    )
    assert answer.status_code == 200
    code = await make_code(alice)

    page = await browser.get(f"/r/{code['code']}")

    assert "<script>" not in page.text
    assert og(page.text)["title"] == '"><script>alert(1)</script> %. invites you to Goodword'
    assert "%. invites you to Goodword</h1>" in page.text


async def test_a_referrer_without_a_name_is_a_friend(browser, api, alice):
    await alice.patch("/api/v1/me", {"first_name": None, "last_name": None})
    code = await make_code(alice)

    assert "A friend invites you to Goodword" in (await browser.get(f"/r/{code['code']}")).text
    russian = await browser.get(f"/r/{code['code']}", headers={"Accept-Language": "ru"})
    assert "Друг приглашает вас в Goodword" in russian.text


async def test_views_do_not_count_as_uses(browser, alice, api):
    code = await make_code(alice, max_uses=1)
    for _ in range(3):
        await browser.get(f"/r/{code['code']}")

    assert (await register(api, "bob", referral_code=code["code"])).status_code == 201
    assert (await browser.get(f"/r/{code['code']}")).status_code == 404


async def test_query_parameters_are_ignored(browser, alice):
    code = await make_code(alice)

    for _ in range(2):
        answer = await browser.get(f"/r/{code['code']}", params={"utm_source": "<b>"})
        assert answer.status_code == 200
        assert "utm_source" not in answer.text


async def test_long_requests_are_not_cached(app, browser, alice):
    await make_code(alice, code="ALICE-2026")

    for prefix in ("/r/", "/api/v1/referral-codes/"):
        path = prefix + "ALICE-2026" + "-" * 3000
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert "-----" not in answer.text
        assert app.state.services.cache.peek((path, b"")) is None


async def test_head_requests_are_allowed(browser, alice):
    code = await make_code(alice)

    for path in (f"/r/{code['code']}", "/r/NOSUCHCODE"):
        shown = (await browser.get(path)).status_code
        assert (await browser.client.head(path)).status_code == shown
    assert (await browser.client.post(f"/r/{code['code']}")).status_code == 405


async def test_configured_providers_are_offered(app, browser, alice):
    code = await make_code(alice, code="ALICE-2026")
    assert "/oauth/sign-in/" not in (await browser.get("/r/ALICE-2026")).text
    ours = {"client_id": "x", "client_secret": "y"}
    providers: list[Provider] = [
        GitHubProvider(slug="github", label="GitHub", **ours),
        OpenIDProvider(slug="oidc", label="<Acme> & Co", issuer="https://id.example", **ours),
    ]
    public_url = app.state.services.settings.public_url
    with replaced(app, social_clients=ProviderClients(providers, key=b"k" * 32, public_url=public_url)):
        page = await browser.get("/r/ALICE-2026")
        assert "&lt;Acme&gt; &amp; Co" in page.text
        for slug in ("github", "oidc"):
            assert f'href="/oauth/sign-in/{slug}?referral_code={code["code"]}&amp;next=/"' in page.text
        for path in ("/sign-in", "/sign-up"):
            assert 'href="/oauth/sign-in/github?next=/"' in (await browser.get(path)).text


async def test_links_include_the_path_of_public_url(alice, database_url):
    await make_code(alice, code="ALICE-2026")

    async with second_service(database_url, public_url="https://example.com/goodword") as api:
        page = (await api.get("/r/ALICE-2026")).text

    assert Form(page).action == "/goodword/sign-up"
    assert og(page)["url"] == "https://example.com/goodword/r/ALICE-2026"
    assert og(page)["image"] == "https://example.com/goodword/r/ALICE-2026/card.png"
    assert 'name="next" value="/goodword/r/ALICE-2026"' in page


async def test_languages_are_cached_separately(app, alice):
    code = await make_code(alice)
    async with client_of(app) as one, client_of(app) as other:
        for _ in range(2):
            english = await Browser(one).get(f"/r/{code['code']}")
            russian = await Browser(other).get(f"/r/{code['code']}", headers={"Accept-Language": "ru"})
            assert "invites you to Goodword" in english.text
            assert "Alice L. приглашает вас в Goodword" in russian.text


async def test_a_signed_in_visitor_sees_who_is_signed_in(browser, alice, bob):
    code = await make_code(alice)
    own = await make_code(bob)
    await browser.sign_in(bob)

    page = await browser.get(f"/r/{code['code']}")
    assert page.status_code == 200
    assert "Alice L. invites you to Goodword" in page.text
    assert f'You are signed in as <strong class="address">{bob.email}</strong>' in page.text
    assert 'name="password"' not in page.text
    assert "This is your own link" in (await browser.get(f"/r/{own['code']}")).text
    dead = await browser.get("/r/NOSUCHCODE")
    assert (dead.status_code, "You are signed in as" in dead.text) == (404, True)

    out = await browser.send(page)
    assert (out.status_code, out.headers["location"]) == (303, f"/r/{code['code']}")
    assert 'name="password"' in (await browser.get(f"/r/{code['code']}")).text


async def test_the_sign_out_redirects_to_local_paths_only(browser, alice):
    await browser.sign_in(alice)
    out = await browser.send(await browser.get("/sign-up"), next="//evil.example")

    assert out.headers["location"] == "/"
