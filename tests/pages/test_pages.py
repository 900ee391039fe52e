"""Properties of all pages: security headers, static files, accessibility."""

import re

import pytest

from second_service import second_service

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}
PAGES = [
    "/",
    "/sign-in",
    "/sign-up",
    "/forgot-password",
    "/reset-password",
    "/verify-email",
    "/confirm-email",
    "/unsubscribe",
    "/oauth/authorize",
    "/oauth/logout",
    "/r/NOSUCHCODE",
]


@pytest.mark.parametrize("path", PAGES)
async def test_pages_have_no_inline_code_or_external_resources(browser, path):
    answer = await browser.get(path)

    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert re.findall("<script[^>]*>[^<]*", answer.text) == re.findall(
        r'<script src="/pages/page\.js\?v=\w+" defer>', answer.text
    )
    assert not re.search(r"<style|style=|\son\w+=|javascript:", answer.text)
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up"])
async def test_forms_that_lead_to_an_app_have_no_form_action(browser, path):
    answer = await browser.get(path, params={"next": "/oauth/authorize?client_id=x"})

    policy = answer.headers["content-security-policy"]
    assert "form-action" not in policy
    assert "script-src" not in policy
    assert "<script" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_accessible(browser, path):
    text = (await browser.get(path)).text

    assert '<html lang="en">' in text
    assert 'name="viewport"' in text
    assert len(re.findall("<h1>", text)) == 1
    order = re.findall(r'<a class="skip" href="#(\w+)">|<(header|main|footer)\b', text)
    assert order == [("content", ""), ("", "header"), ("", "main"), ("", "footer")]
    assert '<main id="content"' in text
    for name in re.findall(r'<input id="(\w+)"', text):
        assert f'<label for="{name}">' in text


@pytest.mark.parametrize(
    ("path", "section"), [("/", "/"), ("/people", "/people"), ("/account", "/account"), ("/admin", "/admin")]
)
async def test_the_bar_leads_to_the_sections_and_out(browser, rita, path, section):
    await browser.sign_in(rita)

    bar = re.search(r"<header>(.*?)</header>", (await browser.get(path)).text, re.DOTALL)[1]

    assert re.findall(r'href="([^"]+)"', bar) == ["/", "/", "/people", "/admin", "/account"]
    assert re.findall(r'href="([^"]+)" aria-current', bar) == [section]
    assert rita.email in bar
    assert 'action="/sign-out"' in bar


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/reset-password"])
async def test_password_fields_are_hidden_and_allow_pasting(browser, path):
    [field] = re.findall(r'<input[^>]*name="(?:new_)?password"[^>]*>', (await browser.get(path)).text)

    assert 'type="password"' in field
    assert re.search('autocomplete="(new|current)-password"', field)
    assert "onpaste" not in field


async def test_static_files_have_an_etag(browser):
    page = await browser.get("/sign-in")
    for url in re.findall(r'(?:href|src)="(/pages/[^"]+)"', page.text):
        answer = await browser.get(url)
        assert answer.status_code == 200
        kind = answer.headers["content-type"]
        assert kind == "image/png" or kind.endswith("; charset=utf-8")
        again = await browser.get(url, headers={"If-None-Match": f"W/{answer.headers['etag']}"})
        assert (again.status_code, again.content) == (304, b"")
        other = await browser.get(url, headers={"If-None-Match": '"other"'})
        assert other.status_code == 200


@pytest.mark.parametrize("name", ["x.css", "..%2Frendering.py", "templates", "%00"])
async def test_other_files_are_not_served(browser, name):
    assert (await browser.get(f"/pages/{name}")).status_code == 404


async def test_links_include_the_path_of_public_url(alice, database_url):
    async with second_service(database_url, public_url="https://example.com/goodword") as api:
        page = await api.get("/sign-in")

    assert 'action="/goodword/sign-in"' in page.text
    assert 'href="/goodword/pages/style.css' in page.text


async def test_errors_say_what_to_do_next(database_url, api):
    async with second_service(
        database_url, limits="requests=1/minute", support_email="help@example.com"
    ) as client:
        missing = await client.get("/nothing", headers=HTML)
        often = await client.get("/sign-in", headers=HTML)

    assert missing.status_code == 404
    assert "<h1>Page not found</h1>" in missing.text
    assert "Check the address for typos." in missing.text
    assert often.status_code == 429
    assert "<h1>Too many attempts</h1>" in often.text
    assert "Nothing has changed." in often.text
    assert "Request ID" not in often.text
