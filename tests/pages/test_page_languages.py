"""Pages in the language of whoever reads them, and the catalogues behind that."""

import io
import re
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
async def test_a_page_is_in_the_language_that_the_browser_asks_for(browser, wanted, language):
    page = await browser.get("/sign-in", headers={"Accept-Language": wanted} if wanted else {})

    assert f'<html lang="{language}">' in page.text
    assert ("<h1>Войти</h1>" if language == "ru" else "<h1>Sign in</h1>") in page.text


async def test_a_choice_is_kept_and_wins(browser):
    answer = await browser.client.post("/language", data={"language": "ru", "next": "/sign-up?next=/docs"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-up?next=/docs")
    cookie = {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert {f"{COOKIE}=ru", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=31536000"} <= cookie
    page = await browser.get("/sign-up", headers={"Accept-Language": "en"})
    assert '<html lang="ru">' in page.text


async def test_over_https_the_cookie_is_bound_to_the_host(api, database_url):
    async with second_service(database_url, public_url="https://goodword.example") as served:
        answer = await served.post("/language", data={"language": "ru"})

    assert answer.headers["set-cookie"].startswith("__Host-goodword-language=ru;")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("language", ["", "xx", "../ru", "ru; Domain=evil", "RU", "\x00"])
async def test_a_language_that_there_is_not_changes_nothing(browser, language):
    answer = await browser.client.post("/language", data={"language": language, "next": "/sign-in"})

    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    page = await browser.get("/sign-in", headers={"Cookie": f"{COOKIE}={language!r}"})
    assert '<html lang="en">' in page.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
async def test_a_choice_leads_nowhere_else(browser, target):
    answer = await browser.client.post("/language", data={"language": "ru", "next": target})

    assert answer.headers["location"] == "/"


async def test_another_site_chooses_nobodys_language(browser):
    headers = {"Origin": "https://evil.example"}

    answer = await browser.client.post("/language", data={"language": "ru"}, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/sign-in?next=/docs%3Fa%3Db", "/sign-up?referral_code=%3Cb%3E", "/r/NO%3Cb%3E", "/nowhere"]
)
async def test_choosing_comes_back_to_the_same_page(browser, path):
    page = await browser.get(path, headers={"Accept": "text/html"})
    back = re.search(r'<form class="languages".*?name="next" value="(.*?)"', page.text, re.DOTALL)[1]

    again = await browser.get(back.replace("&amp;", "&"), headers={"Accept": "text/html"})

    assert again.status_code == page.status_code
    assert re.search("<h1>.*</h1>", again.text)[0] == re.search("<h1>.*</h1>", page.text)[0]


async def test_a_refused_form_can_change_its_language(browser):
    refused = await browser.send(await browser.get("/sign-up?next=/docs"), referral_code="NOSUCHCODE")
    back = re.search(r'<form class="languages".*?name="next" value="(.*?)"', refused.text, re.DOTALL)[1]

    again = await browser.get(back.replace("&amp;", "&"), headers={"Accept-Language": "ru"})

    assert 'value="NOSUCHCODE"' in again.text
    assert 'name="next" value="/docs"' in again.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_language_is_offered_by_its_own_name(browser, language):
    page = await browser.get("/", headers={"Accept-Language": language})
    offered = re.findall(r'<button name="language" value="(\w+)" lang="(\w+)">(.*)</button>', page.text)

    assert offered == [(name, name, NAMES[name]) for name in LANGUAGES if name != language]


def extracted(tmp_path) -> Catalog:
    """What `make messages` collects."""
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
def test_a_catalogue_is_in_step_with_the_pages(language, tmp_path):
    wanted = extracted(tmp_path)

    assert len(ids(wanted)) > 80
    assert ids(wanted) == ids(catalogue(language)), "run `make messages`"


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_to_translate(language):
    for message in catalogue(language):
        key, string = str(message.id), str(message.string)
        if key:
            assert string, key
            assert not message.fuzzy
            assert re.findall(r"%\(\w+\)s|</?\w+", string) == re.findall(r"%\(\w+\)s|</?\w+", key)
            assert key.count("%") == len(re.findall(r"%\(\w+\)s", key)), "templates would read it"
            assert list(Formatter().parse(string.replace("{", "")))


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_is_translated(language):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))

    assert compiled.getvalue() == (TRANSLATIONS / f"{language}.mo").read_bytes(), "run `make messages`"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("templates/*.html")), ids=lambda path: path.name)
def test_a_template_translates_only_what_stands_in_it(path):
    # The result of a translation is not escaped: that of a variable could hold anything.
    source = path.read_text()

    assert not re.search(r"""\b(_|gettext)\((?!")""", source)
    assert "|safe" not in source
    assert "Markup" not in source
    marked = r"\{%[^%]*\btrans\b[^%]*%\}.*?\{%[^%]*\bendtrans\b[^%]*%\}"
    text = re.sub(rf"{marked}|\{{[{{%#].*?[}}%#]\}}|<[^>]*>|&\w+;", " ", source, flags=re.DOTALL)
    assert not re.search(r"[A-Za-z]{3,}", text.replace("Goodword", "")), "text that nobody can translate"
