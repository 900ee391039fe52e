"""GET /oauth/authorize: what is answered to whom, and what is not sent anywhere."""

import base64
import json
import secrets
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest

from asgi import document, settings_for
from goodword.oauth import clients, registration
from sweeps import Sweep
from third_party import answer_of, register_app

pytestmark = pytest.mark.one_database

ISSUER = "http://127.0.0.1:8000"


def is_error_page(answer):
    return (
        answer.status_code == 400
        and "location" not in answer.headers
        and answer.headers["content-type"].startswith("text/html")
    )


async def test_it_sends_a_person_who_said_yes_back_with_a_code(garden, alices):
    page = await alices.get(garden.url())
    answer = await alices.send(page, decision="allow")

    assert answer.headers["location"].startswith("https://garden.example/callback?code=")
    found = answer_of(answer)
    assert found.keys() == {"code", "state", "iss"}
    assert (found["state"], found["iss"]) == ("where the app was", ISSUER)


async def test_it_sends_a_person_who_said_no_back_without(garden, alices):
    page = await alices.get(garden.url())

    found = answer_of(await alices.send(page, decision="deny"))

    assert found["error"] == "access_denied"
    assert (found["state"], found["iss"]) == ("where the app was", ISSUER)
    assert "code" not in found


async def test_it_takes_anything_but_allow_for_a_no(garden, alices):
    page = await alices.get(garden.url())

    assert answer_of(await alices.send(page))["error"] == "access_denied"


async def test_it_shows_the_sign_in_first_and_then_goes_on(garden, browser, alice):
    url = garden.url(scope="openid", login_hint="alice@example.com")

    to_sign_in = await browser.get(url)
    assert to_sign_in.status_code == 303
    assert to_sign_in.headers["location"].startswith("/sign-in?next=%2Foauth%2Fauthorize%3F")
    form = await browser.get(to_sign_in.headers["location"])
    assert 'value="alice@example.com"' in form.text
    back = await browser.sign_in_by_form(alice, form)
    page = await browser.get(back.headers["location"])

    assert "Garden letters" in page.text
    assert "code" in answer_of(await browser.send(page, decision="allow"))


def json_state(length):
    """Return a state as single-page apps send it."""
    items = [{"id": number, "title": f"Письмо {number}"} for number in range(length)]
    return json.dumps({"returnTo": "/garden?bed=3#roses", "items": items})[:length]


@pytest.mark.parametrize("state", [json_state(2350), secrets.token_urlsafe(2700)])
@pytest.mark.parametrize("prompt", [None, "login"])
async def test_a_long_request_survives_the_sign_in(garden, browser, alice, state, prompt):
    url = garden.url(scope="openid", login_hint="alice@example.com", state=state, prompt=prompt)
    assert 3_700 < len(url) < 4_096, len(url)

    to_sign_in = await browser.get(url)
    form = await browser.get(to_sign_in.headers["location"])
    assert form.status_code == 200, form.text
    back = await browser.sign_in_by_form(alice, form)
    page = await browser.get(back.headers["location"])

    assert answer_of(await browser.send(page, decision="allow"))["state"] == state


@pytest.mark.parametrize("pending", ["", "x", "===", "AAAA", "%00", "ы", "eJwDAAAAAAE"])
async def test_a_short_form_that_we_did_not_write_is_no_request(garden, alices, pending):
    answer = await alices.get(f"/oauth/authorize?pending={pending}")

    assert is_error_page(answer)


async def test_a_short_form_is_not_expanded_beyond_the_longest_request(alices):
    deflate = zlib.compressobj(9, wbits=-15)
    packed = deflate.compress(b"a" * 2_000_000) + deflate.flush()
    bomb = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    assert len(bomb) < 4_000

    assert is_error_page(await alices.get(f"/oauth/authorize?pending={bomb}"))


@pytest.mark.parametrize(
    "client_id", [None, "", "unknown", "gwc_\x00", "ü", "a" * 65, "' OR 1=1", "goodword"]
)
async def test_it_sends_nobody_back_to_an_unknown_app(garden, alices, client_id):
    answer = await alices.get(garden.url(client_id=client_id))

    assert is_error_page(answer)
    assert "garden.example" not in answer.text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "https://garden.example/callback/",
        "https://garden.example/callback/more",
        "https://garden.example/callback?x=1",
        "https://garden.example/callback#x",
        "https://garden.example/callback?",
        "https://garden.example/Callback",
        "https://GARDEN.example/callback",
        "HTTPS://garden.example/callback",
        "http://garden.example/callback",
        "https://garden.example:443/callback",
        "https://garden.example.evil.example/callback",
        "https://sub.garden.example/callback",
        "https://alice@garden.example/callback",
        "https://garden.example@evil.example/callback",
        "https://evil.example\\@garden.example/callback",
        "https://garden.example\\callback",
        "https://garden.example/x/../callback",
        "https://garden.example/./callback",
        "https://garden.example/%63allback",
        "https://garden.example/callback%00",
        "https://garden.example/callback\x00",
        "https://garden.example/callback\r\nX: 1",
        " https://garden.example/callback",
        "https://garden.example/callback ",
        "https://garden.example/callback\nhttps://evil.example",
        "//garden.example/callback",
        "javascript:alert(1)//https://garden.example/callback",
        "http://127.0.0.1/callback",
        "https://gаrden.example/callback",  # the second letter is Cyrillic
    ],
)
async def test_it_sends_nobody_to_an_address_that_is_not_registered(garden, alices, redirect_uri):
    assert is_error_page(await alices.get(garden.url(redirect_uri=redirect_uri)))


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_it_sends_nobody_back_when_it_is_told_twice_where(garden, alices, name):
    assert is_error_page(await alices.get(f"{garden.url()}&{name}=x"))


async def test_it_sends_nobody_back_from_what_cannot_be_read(garden, alices):
    assert is_error_page(await alices.get(f"{garden.url()}&x=%ff"))
    long = await alices.get(f"{garden.url()}&x={'y' * 9000}")
    assert (long.status_code, "location" in long.headers) == (414, False)
    assert is_error_page(await alices.get(garden.url() + "&a=1" * 100))


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:54321/callback",
        "http://[::1]:65535/callback",
        "http://localhost:54321/callback",
        "com.example.pocket:/callback",
    ],
)
async def test_a_native_app_may_listen_at_any_port(pocket, alices, redirect_uri):
    page = await alices.get(pocket.url(redirect_uri=redirect_uri))

    answer = await alices.send(page, decision="allow")

    assert answer.headers["location"].startswith(f"{redirect_uri}?code=")


async def test_a_native_app_listens_nowhere_else(pocket, alices):
    with Sweep() as sweep:
        for redirect_uri in [
            "http://localhost:54321/other",
            "http://localhost.evil.example:54321/callback",
            "http://127.0.0.1:54321/other",
            "http://127.0.0.1:54321/callback?x=1",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1:٣/callback",
            "http://127.0.0.2:54321/callback",
            "https://127.0.0.1:54321/callback",
            "http://127.0.0.1.evil.example/callback",
            "com.example.pocket://callback",
        ]:
            with sweep.case(f"{redirect_uri!a}"):
                assert is_error_page(await alices.get(pocket.url(redirect_uri=redirect_uri)))


async def test_the_port_of_an_app_with_a_secret_is_fixed(app, api, alices):
    web = await register_app(app, api, "http://127.0.0.1:9000/callback")

    assert (await alices.get(web.url())).status_code == 200
    assert is_error_page(await alices.get(web.url(redirect_uri="http://127.0.0.1:9001/callback")))


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "a" * 42 + "="}, "invalid_request"),
        ({"code_challenge": "a" * 44}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "account"}, "invalid_scope"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": "root"}, "invalid_scope"),
        ({"scope": "OPENID"}, "invalid_scope"),
        ({"scope": "openid\tprofile"}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "hypnosis"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e3"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "9" * 400}, "invalid_request"),
        ({"nonce": "n" * 256}, "invalid_request"),
        ({"nonce": "null\x00"}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "consent_required"),
    ],
)
async def test_it_tells_the_app_every_other_error(garden, alices, parameters, error):
    answer = await alices.get(garden.url(**parameters))

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("https://garden.example/callback?error=")
    found = answer_of(answer)
    assert (found["error"], found["state"], found["iss"]) == (error, "where the app was", ISSUER)
    assert found["error_description"]
    assert "code" not in found


@pytest.mark.parametrize("name", ["scope", "state", "response_type", "code_challenge", "nonce", "unheard_of"])
async def test_a_repeated_parameter_is_an_error(garden, alices, name):
    answer = await alices.get(f"{garden.url()}&{name}=x&{name}=y")

    assert answer_of(answer)["error"] == "invalid_request"


async def test_unknown_parameters_are_ignored(garden, alices):
    assert (await alices.get(garden.url(audience="x", display="popup"))).status_code == 200


async def test_the_state_comes_back_as_it_was(garden, alices):
    state = "a&b=c#d %20+ü\r\nSet-Cookie: x=1 <script>"

    found = answer_of(await alices.get(garden.url(state=state, prompt="none")))

    assert found["state"] == state


async def test_without_a_session_it_does_not_ask_when_told_not_to(garden, browser):
    assert answer_of(await browser.get(garden.url(prompt="none")))["error"] == "login_required"


async def test_a_scope_that_is_not_named_is_all_but_the_far_reaching(garden, alices):
    answer = await garden.exchange(await garden.code(alices))

    assert answer.json()["scope"] == "openid profile email codes:read codes:write referrals:read"


@pytest.mark.parametrize("scope", ["openid address phone", "openid root", "offline openid"])
async def test_an_unknown_scope_is_ignored(garden, alices, scope):
    answer = await garden.exchange(await garden.code(alices, scope=scope))

    assert answer.json()["scope"] == "openid"


async def test_it_takes_the_request_as_a_form_too(garden, browser, alice):
    """From another site: the browser sends no cookies, and redirects to a request with them."""
    query = urlsplit(garden.url(scope="openid")).query.encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://garden.example"}

    answer = await browser.client.post("/oauth/authorize", content=query, headers=headers)
    await browser.sign_in(alice)
    page = await browser.get(answer.headers["location"])

    assert (answer.status_code, page.status_code) == (303, 200)
    found = answer_of(await browser.send(page, decision="allow"))
    assert found["state"] == "where the app was"
    assert (await garden.exchange(found["code"])).status_code == 200


async def test_a_form_keeps_the_referral_code_for_a_new_user(garden, browser):
    """In the short form of a long request as well."""
    for state in ("short", "x" * 900):
        query = urlsplit(garden.url(state=state, referral_code="ALICE-2030")).query.encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await browser.client.post("/oauth/authorize", content=query, headers=headers)
        answer = await browser.client.get(answer.headers["location"])
        sign_in = urlsplit(answer.headers["location"])

        assert sign_in.path == "/sign-in"
        assert parse_qs(sign_in.query)["referral_code"] == ["ALICE-2030"]


async def test_a_wrong_form_is_answered_like_a_wrong_query(garden, browser):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async def post(url, **extra):
        query = urlsplit(url).query
        return await browser.client.post("/oauth/authorize", content=query, headers=headers | extra)

    assert answer_of(await post(garden.url(response_type="token")))["error"] == "unsupported_response_type"
    assert answer_of(await post(garden.url(state=secrets.token_hex(3500))))["error"] == "invalid_request"
    assert is_error_page(await post(garden.url(redirect_uri="https://evil.example/")))
    assert is_error_page(await post(garden.url(), **{"Content-Type": "application/json"}))


async def test_login_asks_for_the_password_again(garden, alices, alice):
    to_sign_in = await alices.get(garden.url(prompt="login"))
    assert to_sign_in.headers["location"].startswith("/sign-in?")

    after = parse_qs(urlsplit(to_sign_in.headers["location"]).query)["next"][0]
    assert (await alices.get(after)).headers["location"].startswith("/sign-in?")  # without signing in

    back = await alices.sign_in_by_form(alice, await alices.get(to_sign_in.headers["location"]))
    assert "Garden letters" in (await alices.get(back.headers["location"])).text


@pytest.mark.parametrize("prompt", ["login", "select_account"])
async def test_the_sign_in_comes_before_the_question_even_when_that_was_answered(garden, alices, prompt):
    await garden.let_in(alices, "openid")

    answer = await alices.get(garden.url(scope="openid", prompt=prompt))

    assert answer.headers["location"].startswith("/sign-in?")


async def test_an_old_sign_in_is_not_enough_for_a_young_max_age(garden, alices, alice, clock):
    clock.forward(minutes=10)

    assert (await alices.get(garden.url(max_age="3600"))).status_code == 200
    none = await alices.get(garden.url(max_age="300", prompt="none"))
    assert answer_of(none)["error"] == "login_required"
    to_sign_in = await alices.get(garden.url(max_age="300"))
    back = await alices.sign_in_by_form(alice, await alices.get(to_sign_in.headers["location"]))
    assert (await alices.get(back.headers["location"])).status_code == 200


async def test_max_age_zero_ends_in_one_sign_in(garden, alices, alice):
    to_sign_in = await alices.get(garden.url(max_age="0"))
    back = await alices.sign_in_by_form(alice, await alices.get(to_sign_in.headers["location"]))

    assert (await alices.get(back.headers["location"])).status_code == 200


async def test_a_disabled_app_is_unknown(app, garden, alices):
    async with app.state.services.database.transaction() as session:
        assert await registration.disable(session, garden.client_id, now=app.state.services.clock())

    assert is_error_page(await alices.get(garden.url()))


async def test_an_app_that_is_not_registered_for_it_gets_no_code(app, api, alices):
    robot = await register_app(app, api, grant_types=("client_credentials",), scope=["codes:read"])
    assert is_error_page(await alices.get(robot.url()))


async def test_only_an_administrator_can_give_what_administrators_may(app, api, alices):
    office = await register_app(
        app, api, "https://office.example/cb", scope=["admin", "openid"], grant_types=["authorization_code"]
    )

    assert answer_of(await alices.get(office.url(scope="admin")))["error"] == "access_denied"
    page = await alices.get(office.url(scope="openid admin"))
    assert "Administer" not in page.text
    code = answer_of(await alices.send(page, decision="allow"))["code"]
    assert (await office.exchange(code)).json()["scope"] == "openid"


def test_the_documentation_is_an_app_of_ours():
    docs = clients.documentation(settings_for("sqlite+aiosqlite:///none").public_url)

    assert docs.allows(f"{ISSUER}/docs/oauth2-redirect")
    assert not docs.allows("http://127.0.0.1:9999/docs/oauth2-redirect")
    assert "account" not in docs.scopes


async def test_all_scopes_of_the_documentation_can_be_selected(garden, alices):
    """ "select all" in Swagger's Authorize sends every scope that the document lists."""
    garden.client_id, garden.secret = "goodword-docs", None
    garden.redirect_uri = f"{ISSUER}/docs/oauth2-redirect"
    flow = document()["components"]["securitySchemes"]["OAuth2"]["flows"]["authorizationCode"]

    tokens = await garden.let_in(alices, " ".join(flow["scopes"]))

    assert set(tokens["scope"].split()) == flow["scopes"].keys() - {"admin"}  # Alice is no administrator


async def test_the_documentation_page_gets_a_token(app, api, garden, alices, alice):
    garden.client_id, garden.secret = "goodword-docs", None
    garden.redirect_uri = f"{ISSUER}/docs/oauth2-redirect"

    tokens = await garden.let_in(alices, "profile codes:read")

    assert "refresh_token" not in tokens
    assert (await garden.get("/api/v1/me", tokens)).json()["id"] == alice.id
    again = await garden.let_in(alices, "profile codes:read")
    assert again["scope"] == "profile codes:read"
    apps = (await alice.get("/api/v1/me/apps")).json()["items"]
    assert [found["client_id"] for found in apps] == ["goodword-docs"]
    assert answer_of(await alices.get(garden.url(scope="offline_access")))["error"] == "invalid_scope"
