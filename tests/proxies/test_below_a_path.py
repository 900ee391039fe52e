"""Goodword below a path of a site, behind nginx as docs/self-hosting.md configures it."""

import re
import ssl
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from mail_server import self_made_certificate
from people import PASSWORD
from proxy_servers import Proxy, nginx_command, proxy_process
from serving import ROOT, free_port, serving

ALICE = {"email": "alice@example.com", "password": PASSWORD}
SITE = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    location / {{ return 418; }}
{snippet}
}}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory) -> Iterator[Proxy]:
    """Run nginx in front of the service, which answers with 418 for what is not below the path."""
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    _, certificate = self_made_certificate(folder)
    url = f"https://127.0.0.1:{port}/friends"
    [snippet] = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "self-hosting.md").read_text(), re.DOTALL)
    with serving(folder, PUBLIC_URL=url, TRUSTED_PROXIES="127.0.0.1", DOCS="on") as service:
        snippet = snippet.replace("127.0.0.1:8000", urlsplit(service.url).netloc).replace(
            "$host", "$http_host"
        )
        site = SITE.format(port=port, folder=folder, snippet=snippet)
        with proxy_process(nginx_command(folder, site), folder, port):
            yield Proxy(url, ssl.create_default_context(cafile=certificate))


def form_headers(proxy):
    return {"Origin": proxy.url.removesuffix("/friends"), "Sec-Fetch-Site": "same-origin"}


def sign_up(client, proxy, name, **fields):
    """Sign up on the page, and return the answer to the form."""
    data = {"email": f"{name}@example.com", "password": PASSWORD, **fields}
    return client.post("/friends/sign-up", data=data, headers=form_headers(proxy))


def test_every_link_of_the_pages_stays_below_the_path(proxy):
    """Follow all links and assets of the pages from the home page, signed in and not."""
    with proxy.client() as visitor, proxy.client() as member:
        sign_up(member, proxy, "walker")
        seen, waiting = set(), ["/friends/", "/friends/docs", "/friends/redoc", "/friends/r/NOBODYS"]
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            for client in (visitor, member):
                answer = client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
                assert answer.url.path.startswith("/friends/"), (path, answer.url)
                assert answer.status_code in (200, 404, 405), (path, answer.status_code)  # 405: of a form
                if not answer.headers["content-type"].startswith("text/html"):
                    continue
                found = re.findall(r'(?:href|src|action)="([^"#]+)', answer.text)
                for link in found:
                    target = urlsplit(urljoin(str(answer.url), link.replace("&amp;", "&")))
                    if target.netloc == urlsplit(proxy.url).netloc:
                        assert target.path.startswith("/friends/"), (path, link)
                        waiting.append(target.path + (f"?{target.query}" if target.query else ""))

    assert {"/friends/sign-in", "/friends/account", "/friends/people", "/friends/openapi.json"} <= {
        path.partition("?")[0] for path in seen
    }
    assert any(path.startswith("/friends/docs/assets/swagger-ui-bundle.js") for path in seen)
    assert any(path.startswith("/friends/pages/style.css") for path in seen)


def test_forms_lead_back_below_the_path(proxy):
    with proxy.client() as client:
        joined = sign_up(client, proxy, "alice")
        signed_in = client.post("/friends/sign-in", data=ALICE, headers=form_headers(proxy))
        elsewhere = client.post(
            "/friends/sign-in", data={**ALICE, "next": "/other-app"}, headers=form_headers(proxy)
        )
        own = client.post(
            "/friends/sign-in", data={**ALICE, "next": "/friends/account"}, headers=form_headers(proxy)
        )
        language = client.post("/friends/language", data={"language": "ru"}, headers=form_headers(proxy))
        home = client.get("/friends/")

    assert joined.headers["location"] == "/friends/check-mail"
    assert signed_in.headers["location"] == "/friends/"
    assert elsewhere.headers["location"] == "/friends/"
    assert own.headers["location"] == "/friends/account"
    assert language.headers["location"] == "/friends/"
    assert (home.status_code, '<html lang="ru">' in home.text) == (200, True)


def test_cookies_are_sent_below_the_path_only(proxy):
    with proxy.client() as client:
        answer = sign_up(client, proxy, "carol")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Secure-goodword=")
    assert {"Path=/friends", "Secure", "HttpOnly"} <= set(cookie.split("; "))


def test_the_api_answers_with_urls_below_the_path(proxy):
    with proxy.client() as client:
        joined = client.post(
            "/friends/api/v1/users", json={"email": "dora@example.com", "password": PASSWORD}
        )
        token = client.post(
            "/friends/api/v1/sessions", json={"email": "dora@example.com", "password": PASSWORD}
        )
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        made = client.post("/friends/api/v1/me/referral-codes", json={"lifetime": 3600}, headers=bearer)
        read = client.get(made.headers["location"], headers=bearer)
        landing = client.get(made.json()["link"])
        me = client.get(joined.headers["location"], headers=bearer)

    assert made.json()["link"].startswith(f"{proxy.url}/r/")
    assert (read.status_code, landing.status_code, me.status_code) == (200, 200, 200)


def test_the_document_names_the_server_and_its_endpoints(proxy):
    with proxy.client() as client:
        document = client.get("/friends/openapi.json").json()

    flow = document["components"]["securitySchemes"]["OAuth2"]["flows"]["authorizationCode"]
    assert [server["url"] for server in document["servers"]] == [proxy.url]
    assert flow["authorizationUrl"] == f"{proxy.url}/oauth/authorize"
    assert flow["tokenUrl"] == f"{proxy.url}/oauth/token"


def test_oauth_metadata_is_found_where_clients_look(proxy):
    root = urlsplit(proxy.url)._replace(path="").geturl()
    with proxy.client() as client:
        oauth = client.get(f"{root}/.well-known/oauth-authorization-server/friends").json()
        openid = client.get("/friends/.well-known/openid-configuration").json()
        keys = client.get(openid["jwks_uri"])

    assert oauth == openid
    assert oauth["issuer"] == proxy.url
    assert keys.status_code == 200
