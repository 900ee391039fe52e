"""`ui_locales`: the language that an app asks for (OpenID Connect Core §3.1.2.1)."""

import pytest

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize(
    ("locales", "language"),
    [("ru", "ru"), ("ru-RU", "ru"), ("fr-CA RU en", "ru"), ("en ru", "en"), ("fr", "en"), ("?", "en")],
)
async def test_the_consent_page_is_in_the_first_language_that_there_is(garden, alices, locales, language):
    page = await alices.get(garden.url(ui_locales=locales))

    assert f'<html lang="{language}">' in page.text


@pytest.mark.parametrize("state", ["short", "long" * 200])
async def test_the_pages_on_the_way_are_too(garden, browser, alice, state):
    to_sign_in = await browser.get(garden.url(ui_locales="ru", state=state))
    sign_in = await browser.get(to_sign_in.headers["location"])
    failed = await browser.send(sign_in, email=alice.email, password="a wrong one")
    back = await browser.sign_in_by_form(alice, failed)
    consent = await browser.get(back.headers["location"])

    for page in (sign_in, failed, consent):
        assert '<html lang="ru">' in page.text


async def test_the_sign_up_is_too(garden, browser):
    to_sign_in = await browser.get(garden.url(ui_locales="ru"))
    sign_up = await browser.get(to_sign_in.headers["location"].replace("/sign-in", "/sign-up"))

    assert '<html lang="ru">' in sign_up.text


async def test_the_choice_of_the_user_counts_more(garden, alices):
    await alices.client.post("/language", data={"language": "en", "next": "/"})

    page = await alices.get(garden.url(ui_locales="ru"), headers={"Accept-Language": "ru"})

    assert '<html lang="en">' in page.text


async def test_it_counts_more_than_the_browser(garden, alices):
    page = await alices.get(garden.url(ui_locales="ru"), headers={"Accept-Language": "en"})

    assert '<html lang="ru">' in page.text
