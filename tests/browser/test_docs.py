"""/docs and /redoc with the network cut: they draw every operation, and Authorize works."""

import json
from urllib.request import Request, urlopen

from serving import serving

PASSWORD = "seven lanterns on the hill"


def call(served, path, body):
    request = Request(served.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return json.load(answer)


def operations(served):
    with urlopen(f"{served.url}/openapi.json") as answer:
        document = json.load(answer)
    described = [*document["paths"].values(), *document["webhooks"].values()]
    return sorted(operation["operationId"] for methods in described for operation in methods.values())


def test_swagger_draws_every_operation(page, served):
    page.goto(f"{served.url}/docs")
    page.wait_for_selector(".opblock")

    assert page.locator(".opblock").count() == len(operations(served))


def test_swagger_calls_the_address_that_it_was_opened_at(browser, tmp_path):
    """PUBLIC_URL is that of a proxy, and a developer opens the service behind it."""
    with serving(tmp_path, PUBLIC_URL="https://goodword.example") as served:
        page = browser.new_page()
        page.goto(f"{served.url}/docs")
        page.click("#operations-Health-check_liveness")
        with page.expect_response("**/livez") as answered:
            page.click("#operations-Health-check_liveness button.execute")
        page.close()

    assert (answered.value.url, answered.value.status) == (f"{served.url}/livez", 200)


def test_redoc_draws_every_operation(page, served):
    page.goto(f"{served.url}/redoc")
    page.wait_for_selector("[id^='tag/'][id*='/operation/']", state="attached")

    drawn = page.locator("[id^='tag/'][id*='/operation/']").evaluate_all("all => all.map(one => one.id)")
    assert sorted(name.rpartition("/")[2] for name in drawn) == operations(served)


def test_an_access_token_pasted_into_authorize_calls_what_is_protected(page, served):
    call(served, "/api/v1/users", {"email": "alice@example.com", "password": PASSWORD})
    tokens = call(served, "/api/v1/sessions", {"email": "alice@example.com", "password": PASSWORD})

    page.goto(f"{served.url}/docs")
    page.click("button.authorize")
    page.fill("#auth-bearer-value", tokens["access_token"])
    page.click(".auth-btn-wrapper button.authorize")
    page.click(".btn-done")
    page.click("#operations-Your_account-get_me")
    with page.expect_response("**/api/v1/me") as answered:
        page.click("#operations-Your_account-get_me button.execute")

    assert answered.value.status == 200
    assert answered.value.json()["email"] == "alice@example.com"


def test_authorize_signs_in_by_oauth_and_calls_what_is_protected(page, served):
    call(served, "/api/v1/users", {"email": "bob@example.com", "password": PASSWORD})

    page.goto(f"{served.url}/docs")
    page.click("button.authorize")
    flow = page.locator(".auth-container", has_text="OAuth2 (OAuth2")
    flow.locator("label[for^=profile]").first.click()
    with page.expect_popup() as opened:
        flow.locator("button.authorize").click()
    window = opened.value
    window.fill("input[name=email]", "bob@example.com")
    window.fill("input[name=password]", PASSWORD)
    window.click("form button.main")
    with window.expect_event("close"):
        window.click("button[value=allow]")
    page.click(".btn-done >> nth=0")
    page.click("#operations-Your_account-get_me")
    with page.expect_response("**/api/v1/me") as answered:
        page.click("#operations-Your_account-get_me button.execute")

    assert answered.value.status == 200
    assert answered.value.json()["email"] == "bob@example.com"
