"""The registry: what may be registered, and `goodword oauth-client`."""

import sqlite3
from contextlib import closing

import pytest

from goodword.oauth.errors import ClientInvalid
from goodword.oauth.redirect_uris import check_redirect_uri
from serving import goodword


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("https://app.example/callback", False),
        ("https://app.example", False),
        ("https://app.example:8443/a?b=c", True),
        ("http://127.0.0.1/callback", True),
        ("http://127.0.0.1:9000/callback", False),
        ("http://[::1]/callback", True),
        ("http://localhost:3000/callback", False),
        ("com.example.app:/callback", True),
    ],
)
def test_these_addresses_are_good(uri, public):
    check_redirect_uri(uri, public=public)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "callback",
        "/callback",
        "//app.example/callback",
        "http://app.example/callback",
        "http://127.0.0.1.evil.example/",
        "https:///callback",
        "https://app.example/#x",
        "https://alice@app.example/",
        "https://app.example\\@evil.example/",
        "https://app.example/a/../b",
        "https://app.example/ a",
        "https://app.example/\n",
        "https://äpp.example/",
        "https://[::1/",
        "https://app.example:port/",
        "https://app.example/" + "a" * 2000,
        "javascript:alert(1)",
        "data:text/html,x",
        "myapp:/callback",
        "com.example.app:",
        "com.example.app://host/callback",
        "file:///etc/passwd",
    ],
)
def test_these_are_not(uri):
    with pytest.raises(ClientInvalid):
        check_redirect_uri(uri, public=True)


def test_an_app_with_a_secret_has_no_scheme_of_its_own():
    with pytest.raises(ClientInvalid):
        check_redirect_uri("com.example.app:/callback", public=False)


def told(text):
    return dict(line.split(maxsplit=1) for line in text.splitlines())


def test_an_operator_registers_rotates_and_disables(folder):
    made = goodword(
        folder,
        *("oauth-client", "create", "Garden letters", "--redirect-uri", "https://garden.example/cb"),
        *("--scope", "openid referrals:read", "--scope", "offline_access"),
    )
    assert made.returncode == 0, made.stderr
    client = told(made.stdout)
    assert client["client_secret"].startswith("gws_")

    listed = goodword(folder, "oauth-client", "list").stdout
    assert client["client_id"] in listed
    assert "openid referrals:read offline_access  (authorization_code refresh_token)" in listed
    assert client["client_secret"] not in listed
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        (stored,) = database.execute("SELECT secret_mac FROM oauth_clients").fetchone()
        assert len(stored) == 32

    rotated = told(goodword(folder, "oauth-client", "rotate", client["client_id"]).stdout)
    assert rotated["client_secret"] != client["client_secret"]
    with closing(sqlite3.connect(folder / "data" / "goodword.sqlite3")) as database:
        assert database.execute("SELECT secret_mac FROM oauth_clients").fetchone() != (stored,)

    assert goodword(folder, "oauth-client", "disable", client["client_id"]).returncode == 0
    assert "confidential, disabled" in goodword(folder, "oauth-client", "list").stdout


def test_an_operator_sets_what_an_app_needs(folder):
    made = goodword(
        folder,
        *("oauth-client", "create", "Old shop", "--redirect-uri", "https://shop.example/cb"),
        *("--pkce", "optional", "--id-token-alg", "ES256", "--id-token-claims"),
        *("--post-logout-redirect-uri", "https://shop.example/bye"),
    )
    assert made.returncode == 0, made.stderr

    listed = goodword(folder, "oauth-client", "list").stdout

    assert "ID tokens ES256, PKCE optional, claims in ID tokens" in listed
    assert "after logout: https://shop.example/bye" in listed


def test_what_will_not_do_is_refused_with_a_reason(folder):
    create = ("oauth-client", "create", "Garden")
    to = ("--redirect-uri", "https://garden.example/cb")

    for arguments, reason in (
        ((*create, "--redirect-uri", "http://garden.example/cb"), "https"),
        (create, "redirect URI"),
        ((*create, *to, "--scope", "account"), "No such scope: account"),
        ((*create, *to, "--grant", "password"), "No such grant: password"),
        ((*create, *to, "--scope", "openid offline_access", "--grant", "authorization_code"), "together"),
        ((*create, "--public", "--grant", "client_credentials"), "public"),
        ((*create, *to, "--public", "--pkce", "optional"), "must use PKCE"),
        ((*create, *to, "--post-logout-redirect-uri", "http://shop.example/"), "https"),
        (("oauth-client", "create", " ", *to), "name"),
        (("oauth-client", "rotate", "gwc_unknown"), "no such confidential client"),
        (("oauth-client", "disable", "goodword-docs"), "no such client"),
    ):
        done = goodword(folder, *arguments)
        assert done.returncode == 1
        assert reason in done.stderr
    assert goodword(folder, "oauth-client", "list").stdout == ""


def test_an_app_without_a_secret_is_shown_none(folder):
    to = ("--redirect-uri", "http://127.0.0.1/cb")

    made = told(goodword(folder, "oauth-client", "create", "Pocket", "--public", *to).stdout)

    assert made.keys() == {"client_id"}
    assert goodword(folder, "oauth-client", "rotate", made["client_id"]).returncode == 1
