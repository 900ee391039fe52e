"""The languages of the pages, and the message catalogues."""

import io
import re
from itertools import zip_longest
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from goodword.languages import DEFAULT, LANGUAGES, NAMES
from second_service import second_service
from serving import ROOT

pytestmark = pytest.mark.one_database

PACKAGE = ROOT / "src" / "goodword"
TRANSLATIONS = PACKAGE / "web" / "html" / "translations"
OTHERS = sorted(set(LANGUAGES) - {DEFAULT})
COOKIE = "goodword-language"


@pytest.mark.parametrize(
    ("wanted", "language"), [("ru", "ru"), ("de, ru;q=0.5", "ru"), ("de", "en"), (None, "en")]
)
async def test_the_language_follows_accept_language(browser, wanted, language):
    page = await browser.get("/sign-in", headers={"Accept-Language": wanted} if wanted else {})

    assert f'<html lang="{language}">' in page.text
    assert ("<h1>Войти</h1>" if language == "ru" else "<h1>Sign in</h1>") in page.text


@pytest.mark.parametrize("path", ["/sign-in", "/r/NOBODYS", "/nowhere"])
async def test_a_response_names_its_language_and_what_it_depends_on(browser, path):
    page = await browser.get(path, headers={"Accept-Language": "ru", "Accept": "text/html"})

    assert page.headers["content-language"] == "ru"
    assert {"Accept", "Accept-Language", "Cookie"} <= set(page.headers["vary"].split(", "))


async def test_a_chosen_language_is_stored_and_wins(browser):
    answer = await browser.client.post("/language", data={"language": "ru", "next": "/sign-up?next=/docs"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-up?next=/docs")
    cookie = {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert {f"{COOKIE}=ru", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=31536000"} <= cookie
    page = await browser.get("/sign-up", headers={"Accept-Language": "en"})
    assert '<html lang="ru">' in page.text


async def test_the_cookie_has_the_host_prefix_over_https(api, database_url):
    async with second_service(database_url, public_url="https://goodword.example") as served:
        answer = await served.post("/language", data={"language": "ru"})

    assert answer.headers["set-cookie"].startswith("__Host-goodword-language=ru;")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("language", ["", "xx", "../ru", "ru; Domain=evil", "RU", "\x00"])
async def test_an_unknown_language_changes_nothing(browser, language):
    answer = await browser.client.post("/language", data={"language": language, "next": "/sign-in"})

    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    page = await browser.get("/sign-in", headers={"Cookie": f"{COOKIE}={language!r}"})
    assert '<html lang="en">' in page.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
async def test_redirects_to_local_paths_only(browser, target):
    answer = await browser.client.post("/language", data={"language": "ru", "next": target})

    assert answer.headers["location"] == "/"


async def test_a_form_of_another_site_is_refused(browser):
    headers = {"Origin": "https://evil.example"}

    answer = await browser.client.post("/language", data={"language": "ru"}, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/sign-in?next=/docs%3Fa%3Db", "/sign-up?referral_code=%3Cb%3E", "/r/NO%3Cb%3E", "/nowhere"]
)
async def test_redirects_to_the_same_page(browser, path):
    page = await browser.get(path, headers={"Accept": "text/html"})
    back = re.search(r'<form class="languages".*?name="next" value="(.*?)"', page.text, re.DOTALL)[1]

    again = await browser.get(back.replace("&amp;", "&"), headers={"Accept": "text/html"})

    assert again.status_code == page.status_code
    assert re.search("<h1>.*</h1>", again.text)[0] == re.search("<h1>.*</h1>", page.text)[0]


async def test_a_form_with_errors_can_change_its_language(browser):
    refused = await browser.send(await browser.get("/sign-up?next=/docs"), referral_code="NOSUCHCODE")
    back = re.search(r'<form class="languages".*?name="next" value="(.*?)"', refused.text, re.DOTALL)[1]

    again = await browser.get(back.replace("&amp;", "&"), headers={"Accept-Language": "ru"})

    assert 'value="NOSUCHCODE"' in again.text
    assert 'name="next" value="/docs"' in again.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_languages_are_offered_by_their_own_names(browser, language):
    page = await browser.get("/", headers={"Accept-Language": language})
    offered = re.findall(
        r'<button type="submit" name="language" value="(\w+)" lang="(\w+)">(.*)</button>', page.text
    )

    assert offered == [(name, name, NAMES[name]) for name in LANGUAGES if name != language]


def extracted(tmp_path) -> Catalog:
    """Return the messages that `make messages` extracts."""
    options = re.search(r"EXTRACT := (.*?)\n\n?CATALOGUES", (ROOT / "Makefile").read_text(), re.DOTALL)[1]
    mapping = ["--mapping-file", str(ROOT / "pyproject.toml")]
    own = [
        word
        for word in options.replace("\\\n", " ").split()
        if word not in ("--mapping-file", "pyproject.toml")
    ]
    file = tmp_path / "messages.pot"
    source = str(ROOT / "src" / "goodword")
    CommandLineInterface().run(["pybabel", "-q", "extract", *mapping, *own, "-o", str(file), source])
    with file.open("rb") as opened:
        return read_po(opened)


def catalogue(language) -> Catalog:
    with (TRANSLATIONS / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def ids(messages: Catalog) -> set[str]:
    return {str(message.id) for message in messages if message.id}


@pytest.mark.parametrize("language", OTHERS)
def test_catalogues_match_the_pages(language, tmp_path):
    wanted = extracted(tmp_path)

    assert len(ids(wanted)) > 80
    assert ids(wanted) == ids(catalogue(language)), "run `make messages`"


@pytest.mark.parametrize("language", OTHERS)
def test_catalogues_are_complete(language):
    for message in catalogue(language):
        keys, strings = ([text] if isinstance(text, str) else text for text in (message.id, message.string))
        for key, string in [] if keys == [""] else zip_longest(keys, strings, fillvalue=keys[-1]):
            assert string, key
            assert not message.fuzzy
            parts = [sorted(re.findall(r"%\(\w+\)s|</?\w+", text)) for text in (string, key)]
            assert parts[0] == parts[1]  # a translation may name them in another order
            assert key.count("%") == len(re.findall(r"%\(\w+\)s", key)), "templates would read it"
            assert list(Formatter().parse(string.replace("{", "")))


@pytest.mark.parametrize("language", OTHERS)
def test_compiled_catalogues_are_up_to_date(language):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))

    assert compiled.getvalue() == (TRANSLATIONS / f"{language}.mo").read_bytes(), "run `make messages`"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("templates/*.html")), ids=lambda path: path.name)
def test_templates_translate_only_literal_texts(path):
    # The result of a translation is not escaped, so a variable must not be translated.
    source = path.read_text()

    assert not re.search(r"""\b(_|gettext)\((?!")""", source)
    assert "|safe" not in source
    assert "Markup" not in source
    marked = r"\{%[^%]*\btrans\b[^%]*%\}.*?\{%[^%]*\bendtrans\b[^%]*%\}"
    text = re.sub(
        rf"{marked}|<style>.*?</style>|\{{[{{%#].*?[}}%#]\}}|<[^>]*>|&\w+;", " ", source, flags=re.DOTALL
    )
    assert not re.search(r"[A-Za-z]{3,}", text.replace("Goodword", "")), "text that nobody can translate"
