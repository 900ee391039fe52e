"""Only the browser that began a sign-in can finish it, once and soon; and it goes nowhere else (D19)."""

import json
import re
import secrets
from datetime import UTC, datetime
from html import unescape
from urllib.parse import urlencode

import pytest

from asgi import client_of, settings_for
from goodword.app import create_app
from goodword.social.flow import begin as begin_flow
from social.browser import COOKIE, assert_refused, begin, leave, sign_in
from third_party import Browser, answer_of, register_app

pytestmark = pytest.mark.one_database

NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def test_callback_without_the_cookie_is_refused(api, provider, rows):
    back = await leave(api, provider)
    api.cookies.clear()

    assert_refused(await api.get(back), 400, "state_invalid")
    assert provider.asked["/token"] == 0
    assert await rows("SELECT id FROM users") == []


async def test_callback_with_the_cookie_of_another_browser_is_refused(api, provider, service):
    """Mallory lets Alice follow her own way back: Alice would be signed in as Mallory."""
    back = await leave(api, provider)
    async with client_of(service) as alice:
        await leave(alice, provider)
        assert_refused(await alice.get(back), 400, "state_invalid")
    assert provider.asked["/token"] == 0


@pytest.mark.parametrize("state", ["", "x", "%00", "é", "a" * 255])
async def test_another_state_is_refused(api, provider, state):
    await begin(api)

    answer = await api.get(f"/oauth/callback/oidc?code=x&state={state}")
    assert_refused(answer, 400, "state_invalid")
    assert COOKIE in api.cookies, "the sign-in that this browser did begin can still be finished"


@pytest.mark.parametrize("query", ["", "?code=x", "?error=access_denied", "?state="])
async def test_callback_without_state_is_refused(api, provider, query):
    await begin(api)

    assert_refused(await api.get(f"/oauth/callback/oidc{query}"), 400, "state_invalid")


@pytest.mark.parametrize("value", ["", "x", "AAAA", "é", "A" * 3000, '"quoted"'])
async def test_forged_flow_cookie_is_refused(api, provider, value):
    back = await leave(api, provider)
    api.cookies.clear()

    answer = await api.get(back, headers={"Cookie": f"{COOKIE}={value}".encode()})
    assert_refused(answer, 400, "state_invalid")


async def test_altered_flow_cookie_is_refused(api, provider):
    back = await leave(api, provider)
    value = api.cookies[COOKIE]
    api.cookies.clear()
    for at in (0, 20, len(value) - 5):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        answer = await api.get(back, headers={"Cookie": f"{COOKIE}={changed}"})
        assert_refused(answer, 400, "state_invalid")


async def test_flow_cookie_works_once(api, provider):
    back = await leave(api, provider)
    assert (await api.get(back)).status_code == 303

    assert_refused(await api.get(back), 400, "state_invalid")


async def test_kept_flow_cookie_fails_with_a_used_code(api, provider):
    back = await leave(api, provider)
    kept = {"Cookie": f"{COOKIE}={api.cookies[COOKIE]}"}
    await api.get(back)
    api.cookies.clear()

    assert_refused(await api.get(back, headers=kept), 400, "sign_in_failed")


async def test_flow_expires_after_ten_minutes(api, provider, clock):
    back = await leave(api, provider)
    clock.forward(minutes=10, seconds=1)

    assert_refused(await api.get(back), 400, "state_invalid")


async def test_the_answer_of_one_provider_is_not_taken_from_another(api, provider):
    back = await leave(api, provider, "google")

    assert_refused(await api.get(back.replace("google", "oidc")), 400, "state_invalid")


async def test_an_answer_that_names_another_issuer_is_a_mix_up(api, provider):
    back = await leave(api, provider)
    assert_refused(await api.get(f"{back}&iss=https://evil.example"), 400, "sign_in_failed")
    back = await leave(api, provider)
    assert (await api.get(f"{back}&{urlencode({'iss': provider.url})}")).status_code == 303


@pytest.mark.parametrize("name", ["code", "state"])
async def test_a_repeated_parameter_is_refused(api, provider, name):
    back = await leave(api, provider)

    assert (await api.get(f"{back}&{name}=x")).status_code == 422


async def test_cancelled_sign_in_redirects_to_next(api, provider):
    await leave(api, provider, next="/r/ABCD")
    state = provider.seen[0]["state"]

    answer = await api.get(f"/oauth/callback/oidc?error=access_denied&state={state}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/r/ABCD")
    assert "goodword" not in answer.cookies
    assert COOKIE not in api.cookies


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("invalid_scope", 400, "sign_in_failed"),
        ("<script>", 400, "sign_in_failed"),
        ("server_error", 503, "provider_unavailable"),
        ("temporarily_unavailable", 503, "provider_unavailable"),
    ],
)
async def test_an_error_of_the_provider_is_a_problem(api, provider, error, status, code):
    await leave(api, provider)
    state = provider.seen[0]["state"]

    answer = await api.get("/oauth/callback/oidc", params={"error": error, "state": state, "code": "x"})
    assert_refused(answer, status, code)
    assert error not in answer.text.replace(code, "")


@pytest.mark.parametrize("code", ["", "unknown", "\x00", "é" * 100, "a&b=c"])
async def test_a_code_that_the_provider_did_not_give_is_refused(api, provider, code):
    await leave(api, provider)
    state = provider.seen[0]["state"]

    answer = await api.get("/oauth/callback/oidc", params={"code": code, "state": state})
    assert_refused(answer, 400, "sign_in_failed")
    assert COOKIE not in api.cookies


async def test_the_code_of_another_sign_in_is_refused_by_its_challenge(api, provider, service):
    """PKCE: Mallory's code in Alice's flow."""
    async with client_of(service) as mallory:
        await leave(mallory, provider)
    await leave(api, provider)
    stolen = next(iter(provider.codes))

    answer = await api.get(f"/oauth/callback/oidc?code={stolen}&state={provider.seen[1]['state']}")
    assert_refused(answer, 400, "sign_in_failed")


@pytest.mark.parametrize("path", ["/", "/r/ABCD", "/a?b=c#d", "/a?back=https://x.example//", "/%2F%2Fx"])
async def test_a_path_of_this_site_is_kept(api, provider, path):
    assert (await sign_in(api, provider, next=path)).headers["location"] == path


HOSTILE = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:alert(1)",
    "/\t/evil.example", "/\n/evil.example", " //evil.example", "/a//evil.example", "/..//evil.example",
    "evil.example", "", "/\x00", "/é", "///evil", "/\r\nSet-Cookie: a=b", "@evil.example",
    "/a\\b",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
async def test_any_other_next_is_the_front_page(api, provider, path):
    answer = await sign_in(api, provider, next=path)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_sign_in_with_a_provider_redirects_to_next(api, provider):
    answer = await sign_in(api, provider, next="/account?tab=codes#top")

    assert answer.headers["location"] == "/account?tab=codes#top"


async def test_the_cookie_is_sealed_short_lived_and_for_us_alone(api, provider):
    answer = await begin(api, referral_code="7KQ2M9XWPA")
    cookie = answer.headers["set-cookie"]

    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "7KQ2M9XWPA" not in cookie
    assert "Secure" not in cookie


async def test_with_https_the_cookie_is_bound_to_the_host(database_url, provider, providers, service):
    settings = settings_for(database_url, public_url="https://goodword.example")
    async with client_of(create_app(settings, providers=providers)) as api:
        answer = await begin(api)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-goodword-flow=")
    assert "; Secure" in cookie
    assert "https%3A%2F%2Fgoodword.example%2Foauth%2Fcallback%2Foidc" in answer.headers["location"]


async def test_a_next_of_3000_random_characters_survives(api, provider):
    path = "/oauth/authorize?pending=" + secrets.token_urlsafe(2250)
    begun = await begin(api, next=path)
    assert len(begun.headers["set-cookie"].partition(";")[0]) <= 4096

    answer = await api.get(provider.approve(begun.headers["location"]))

    assert answer.headers["location"] == path


async def test_a_long_authorization_request_survives_the_way_through_a_provider(api, service, provider):
    app = await register_app(service, api, "https://garden.example/callback")
    state = json.dumps({"back": "/a/b?c=d&e=ф", "items": [secrets.token_hex(8) for _ in range(125)]})
    url = app.url(scope="openid", state=state)
    assert len(url) > 3_000
    to_sign_in = await api.get(url)
    page = await api.get(to_sign_in.headers["location"])
    url = unescape(re.search(r'href="(/oauth/sign-in/oidc[^"]*)"', page.text)[1])

    begun = await api.get(url)
    back = await api.get(provider.approve(begun.headers["location"]))
    page = await api.get(back.headers["location"])
    answer = await Browser(api).send(page, decision="allow")

    assert answer_of(answer)["state"] == state


async def test_a_next_that_fits_no_cookie_is_refused_before_the_way_to_the_provider(api):
    assert_refused(await begin(api, next="/" + secrets.token_urlsafe(2900)), 400, "next_too_long")


async def test_a_code_with_control_characters_is_refused_at_once(api):
    assert (await begin(api, referral_code="a\x00b")).status_code == 422
    assert (await begin(api, referral_code="a" * 1025)).status_code == 422


def test_a_flow_of_the_future_is_not_in_time():
    flow = begin_flow("oidc", referral_code=None, next_page="/", now=NOW)

    assert flow.is_in_time(NOW)
    assert not flow.is_in_time(NOW.replace(year=2029))
