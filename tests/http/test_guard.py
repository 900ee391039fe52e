"""What is refused before anything is done for it: hosts, heads, targets, repeated fields (A04, A05, A10, A13, A25)."""

import pytest

from asgi import client_of, forget_limits, running, settings_for
from goodword.app import create_app
from people import PASSWORD
from sweeps import Sweep

pytestmark = pytest.mark.one_database

HTML = {"Accept": "text/html"}


@pytest.fixture
async def hosted(database_url):
    """A service that is known under one name, and answers to another."""
    settings = settings_for(
        database_url,
        public_url="https://good.example/word",
        allowed_hosts=("other.example", "[2001:db8::1]", "büro.example"),
    )
    async with running(create_app(settings)) as app, client_of(app) as client:
        yield client


def told(answer):
    return answer.status_code, answer.json()["code"]


async def test_a05_it_answers_to_its_names(hosted):
    with Sweep() as sweep:
        for host in [
            "good.example",
            "GOOD.example",
            "good.example:443",
            "other.example:8000",
            "[2001:db8::1]",
            "[2001:DB8::1]:80",
            "xn--bro-hoa.example",
            "good.example:",
        ]:
            with sweep.case(f"{host!a}"):
                assert (await hosted.get("/api/v1/me", headers={"Host": host})).status_code == 401


async def test_a05_it_answers_to_no_other_name(hosted):
    with Sweep() as sweep:
        for host in [
            "evil.example",
            "good.example.evil.example",
            "evil-good.example",
            "good.example.",
            "good.example:80:80",
            "good.example:80x",
            "good.example@evil.example",
            "user@good.example",
            "good.example/x",
            "good.example, evil.example",
            " ",
            "",
            ":",
            ":443",
            "127.0.0.1",
            "localhost",
            "2001:db8::1",
            "*",
            "x" * 9000,
        ]:
            with sweep.case(f"{host!a}"):
                for path in ("/api/v1/me", "/", "/nowhere", "/sign-in"):
                    answer = await hosted.get(path, headers={"Host": host})
                    assert told(answer) == (400, "host_not_served")
                    assert answer.headers["x-content-type-options"] == "nosniff"
                    assert len(host) < 5 or host not in answer.text


async def test_a_wildcard_serves_every_name_below_it(database_url):
    settings = settings_for(database_url, allowed_hosts=("*.refer.example",))
    async with running(create_app(settings)) as app, client_of(app) as client:
        answers = {
            host: (await client.get("/sign-in", headers={"Host": host})).status_code
            for host in (
                *("a.refer.example", "A.b.refer.example:8443", "127.0.0.1:8000"),
                *(
                    "refer.example",
                    "arefer.example",
                    ".refer.example",
                    "refer.example.evil",
                    "*.refer.example",
                ),
            )
        }

    served = {host for host, status in answers.items() if status == 200}
    assert served == {"a.refer.example", "A.b.refer.example:8443", "127.0.0.1:8000"}


async def test_a_refused_host_is_logged_and_its_page_names_the_setting(hosted, capsys, monkeypatch):
    monkeypatch.setattr("goodword.web.guard.HOST_WARNING_SECONDS", 0)
    page = await hosted.get("/sign-in", headers=HTML | {"Host": "goodword.lan:8000"})
    await hosted.get("/sign-in", headers={"Host": "<script>.lan"})

    assert page.status_code == 400
    assert "ALLOWED_HOSTS" in page.text
    assert "goodword.lan" not in page.text
    logged = capsys.readouterr().out
    assert "goodword.lan" in logged
    assert "script" not in logged
    assert logged.count("see ALLOWED_HOSTS") == 2


async def test_many_refused_hosts_are_one_line_of_the_log(hosted, capsys):
    for number in range(20):
        await hosted.get("/sign-in", headers={"Host": f"scan-{number}.example"})

    assert capsys.readouterr().out.count("see ALLOWED_HOSTS") == 1


async def test_a05_two_hosts_are_no_host(api):
    for hosts in (("127.0.0.1:8000", "evil.example"), ("127.0.0.1:8000", "127.0.0.1:8000")):
        headers = [("Host", host) for host in hosts]
        assert told(await api.get("/api/v1/me", headers=headers)) == (400, "header_repeated")


async def test_a05_whether_it_is_alive_is_asked_by_address(hosted):
    for path in ("/livez", "/readyz"):
        assert (await hosted.get(path, headers={"Host": "10.1.2.3:8000"})).status_code == 200


async def test_a05_no_link_holds_what_host_says(hosted):
    headers = {"Host": "other.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    body = {"email": "bob@example.com", "password": PASSWORD}
    answers = [
        await hosted.post("/api/v1/users", json=body, headers=headers),
        await hosted.get("/.well-known/openid-configuration", headers=headers),
        await hosted.get("/sign-up", headers=headers | HTML),
        await hosted.get("/sign-in", headers=headers | HTML),
        await hosted.get("/account", headers=headers | HTML),
        await hosted.get("/nowhere", headers=headers | HTML),
    ]
    for answer in answers:
        said = f"{answer.headers} {answer.text}"
        assert "other.example" not in said
        assert "evil.example" not in said


async def test_a04_many_fields_or_large_ones_are_refused(api):
    assert told(await api.get("/api/v1/me", headers={f"X-{n}": "x" for n in range(100)})) == (
        431,
        "headers_too_large",
    )
    assert told(await api.get("/api/v1/me", headers={"X": "x" * 17_000})) == (431, "headers_too_large")
    assert told(await api.get("/livez", headers={"Cookie": "x" * 17_000})) == (431, "headers_too_large")
    assert (await api.get("/livez", headers={f"X-{n}": "x" * 200 for n in range(55)})).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/livez?" + "x" * 5120,
        "/" + "x" * 5120,
        "/api/v1/referral-codes/" + "A" * 4096,
        "/r/" + "%41" * 2000,
        "/api/v1/me/referrals?cursor=" + "A" * 5000,
    ],
    ids=lambda target: target[:20],
)
async def test_a10_a_long_target_is_refused(api, target):
    answer = await api.get(target)

    assert answer.status_code == 414
    assert answer.json()["code"] == "uri_too_long"
    assert "xxxx" not in answer.text


async def test_a10_an_odd_path_is_not_found(api, app):
    with Sweep() as sweep:
        for accept in ["*/*", "text/html"]:
            for path in [
                "/%00",
                "/livez%00",
                "/%2e%2e/%2e%2e/etc/passwd",
                "/..%2f..%2fetc%2fpasswd",
                "/api//v1/me",
                "/livez//",
                "/livez;x=1",
                "/livez%20",
                "/%ff%fe",
                "/%E2%80%AE",
                "/%ed%a0%80",
                "/%",
                "/%zz",
                "/api/v1/users/%00/referrals",
                "/api/v1/referral-codes/%00",
                "/api/v1/referral-codes/%ff",
                "/api/v1/referral-codes/%ed%a0%80",
                "/api/v1/referral-codes/..%2f..",
                "/r/%00",
                "/r/%ff%00",
                "/static/%2e%2e/rendering.py",
                "/static/..%2fpages.py",
                "/static/%00",
            ]:
                forget_limits(app)
                with sweep.case(f"{accept!a} {path!a}"):
                    answer = await api.get(path, headers={"Accept": accept})

                    assert answer.status_code in (401, 404), answer.text


async def test_two_tokens_are_none(alice, bob):
    tokens = [("Authorization", f"Bearer {person.tokens['access_token']}") for person in (alice, bob)]

    for headers in (tokens, [tokens[0], tokens[0]], [tokens[0], ("Authorization", "")]):
        assert told(await alice.api.get("/api/v1/me", headers=headers)) == (400, "header_repeated")


@pytest.mark.parametrize("path", ["/api/v1/users", "/oauth/token", "/sign-in", "/nowhere"])
async def test_a25_a_coded_body_is_refused_everywhere(api, path):
    for coding in ("gzip", "GZIP", "br", "identity, gzip", "x"):
        answer = await api.post(path, content=b"\x1f\x8b\x08\x00" * 100, headers={"Content-Encoding": coding})
        assert answer.status_code == 415, coding


async def test_a13_two_types_of_one_body_are_refused_everywhere(api):
    types = [("Content-Type", "application/x-www-form-urlencoded")] * 2
    for path in ("/api/v1/users", "/oauth/token", "/sign-in"):
        assert (await api.post(path, content=b"a=b", headers=types)).status_code == 415, path


async def test_a_person_is_told_on_a_page(api):
    many = {f"X-{n}": "x" for n in range(100)}
    for answer, status in (
        (await api.get("/sign-in", headers=HTML | many), 431),
        (await api.get("/sign-in?" + "x" * 5000, headers=HTML), 414),
        (await api.get("/sign-in", headers=HTML | {"Host": "evil.example"}), 400),
        (await api.post("/sign-in", content=b"x" * 70_000, headers=HTML), 413),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert answer.headers["x-request-id"] in answer.text
        assert "evil" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


OAUTH = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"]


@pytest.mark.parametrize("path", OAUTH)
async def test_a_client_of_oauth_is_told_in_its_own_form(api, path):
    twice = [("Authorization", "Basic eDp5"), ("Authorization", "Basic eDp6")]
    for answer, status in (
        (await api.post(path, content=b"x" * 70_000), 413),
        (await api.post(path, content=b"x", headers={"Content-Encoding": "gzip"}), 415),
        (await api.post(path, data={"x": "y"}, headers=twice), 400),
        (await api.post(f"{path}?{'x' * 5000}", data={"x": "y"}), 414),
        (await api.post(path, data={"x": "y"}, headers={"Host": "evil.example"}), 400),
        (await api.get(path, headers=HTML), 405),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert answer.json().keys() == {"error", "error_description"}
        assert answer.json()["error"] == "invalid_request"
        assert answer.headers["cache-control"] == "no-store"
