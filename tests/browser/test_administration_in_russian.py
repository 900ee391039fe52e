"""The walk of an administrator who reads Russian, on a phone."""

import re

import pytest
from playwright.sync_api import expect

from browser.conftest import look_over
from people import PASSWORD
from seed_data import give_past
from serving import goodword

SECTIONS = (
    "Обзор",
    "Приглашённые",
    "Коды",
    "Приложения и ключи",
    "Задания",
    "Журнал аудита",
    "Оформление",
    "Люди",
)
ENGLISH = r"\b(?!(?:Goodword|UTC|GMT|API|CSV|ID|URL|PNG|SVG|JSON)\b)[A-Za-z]{2,}\b"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
def test_an_administrator_works_in_russian(visiting, served, api, scripts):
    number = int(scripts)
    code = api.make_code(api.join(f"Olga{number}"), f"OLGA-{number}")["code"]
    olga, rita = f"olga{number}@example.com", f"rita{number}@example.com"
    give_past(served.log.parent, of=olga, code=code, people=30)
    made = goodword(served.log.parent, "admin", "create", rita, "--password-stdin", stdin=PASSWORD)
    assert made.returncode == 0, made.stderr
    page = visiting(locale="ru-RU", timezone_id="Europe/Moscow", java_script_enabled=scripts)
    title = page.get_by_role("heading", level=1)

    page.goto(f"{served.url}/sign-in")
    page.get_by_label("Адрес электронной почты").fill(rita)
    page.get_by_label("Пароль", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Войти").click()
    page.wait_for_url("**/admin")
    sections = page.get_by_role("navigation", name="Администрирование")
    for section in SECTIONS:
        sections.get_by_role("link", name=section, exact=True).click()
        expect(title).to_have_text(section)
        for label in page.locator("h1, h2, nav li a, label, th, .tiles").all_inner_texts():
            assert not re.search(ENGLISH, label), (section, label)
        if scripts:
            look_over(page)

    page.get_by_label("Почта или имя").fill(olga)
    page.get_by_role("button", name="Показать").click()
    page.get_by_role("link", name=f"Olga{number}").first.click()
    zone = r"GMT\+3" if scripts else "UTC"
    expect(page.locator("time").first).to_have_text(re.compile(rf"^\d\d\.\d\d\.\d{{4}}, \d\d:\d\d {zone}$"))
    page.get_by_role("link", name="показать дерево").click()
    expect(page.locator(".node.chosen")).to_have_text(re.compile(r"Приглашённых: \d+"))
    page.go_back()
    page.get_by_role("button", name="Отключить учётную запись").click()
    expect(page.get_by_role("status")).to_have_text("Пользователь отключён, все его сеансы завершены.")
    page.get_by_role("link", name="Удалить учётную запись").click()
    page.get_by_label("Для подтверждения введите адрес пользователя").fill("nobody@example.com")
    page.get_by_role("button", name="Удалить навсегда").click()
    expect(page.get_by_text("Это не адрес этого пользователя.").first).to_be_visible()
    page.get_by_label("Для подтверждения введите адрес пользователя").fill(olga)
    page.get_by_role("button", name="Удалить навсегда").click()
    expect(title).to_have_text("Удалённый пользователь")
    page.get_by_role("link", name="Показать события").click()
    expect(page.locator("summary", has_text="Учётная запись отключена")).to_be_visible()
