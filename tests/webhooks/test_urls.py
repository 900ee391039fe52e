"""E86: which URLs an endpoint may have. `test_private_networks.py` tests the addresses of names."""

import pytest
from pydantic import SecretStr

from goodword.config.settings import Settings
from goodword.webhooks import targets

SETTINGS = Settings(secret_key=SecretStr("x" * 32))
LOOPBACK = Settings(secret_key=SecretStr("x" * 32), loopback_webhooks="on")

ALLOWED = (
    "https://acme.example/webhooks",
    "https://acme.example:8443/webhooks?source=goodword&x=%20",
    "http://hooks.acme.example",
    "https://xn--bcher-kva.example/hooks",
    "https://under_score.acme.example/",
    "https://acme.example./",
)
LOCAL = (
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.8/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://8.8.8.8/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[fec0::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:4860:4860::8888]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://app.localhost/",
    "https://db/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://nas.lan/",
    "https://router.home.arpa/",
    "https://example.0x7f/",
)
INVALID = (
    "",
    "acme.example/webhooks",
    "/webhooks",
    "//acme.example/",
    "ftp://acme.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "gopher://acme.example/",
    "https://",
    "https:///webhooks",
    "https://user@acme.example/",
    "https://user:password@acme.example/",
    "https://acme.example@127.0.0.1/",
    "https://acme.example\\@127.0.0.1/",
    "https://acme.example/#part",
    "https://acme.example/a b",
    "https://acme.example/\r\nHost: x",
    "https://acme.example:0/",
    "https://acme.example:99999/",
    "https://acme.example:abc/",
    "https://bücher.example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://-acme.example/",
    "https://acme..example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://acme.example/" + "a" * 2000,
)


@pytest.mark.parametrize("url", ALLOWED)
def test_a_public_name_is_allowed(url):
    targets.check_url(url, SETTINGS)


@pytest.mark.parametrize("url", LOCAL)
def test_e86_a_literal_or_local_address_is_refused(url):
    with pytest.raises(targets.UrlLocal):
        targets.check_url(url, SETTINGS)


@pytest.mark.parametrize("url", INVALID)
def test_e86_what_is_no_plain_http_url_is_refused(url):
    for settings in (SETTINGS, LOOPBACK):
        with pytest.raises(targets.UrlInvalid):
            targets.check_url(url, settings)


def test_e86_a_setting_allows_this_machine_and_nothing_else():
    for url in (
        "http://127.0.0.1:8001/",
        "http://localhost:8001/",
        "http://[::1]:8001/",
        "http://127.8.8.8/",
    ):
        targets.check_url(url, LOOPBACK)
    for url in ("http://10.0.0.1/", "http://[fd00::1]/", "http://db/", "http://8.8.8.8/", "http://127.1/"):
        with pytest.raises(targets.UrlLocal):
            targets.check_url(url, LOOPBACK)


async def test_e86_the_api_refuses_them(webhooks):
    for url, code in (
        ("https://127.0.0.1/", "webhook_url_local"),
        ("ftp://a.example", "webhook_url_invalid"),
    ):
        made = await webhooks.create()
        for method, path in (("POST", ""), ("PATCH", f"/{made['id']}")):
            answer = await webhooks.call(method, path, {"url": url, "kinds": ["user.created"]})

            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
            assert answer.json()["errors"][0]["field"] == "body.url"


def test_production_asks_for_https(tmp_path):
    production = SETTINGS.model_copy(update={"environment": "production"})

    targets.check_url("https://acme.example/", production)
    with pytest.raises(targets.UrlInsecure):
        targets.check_url("http://acme.example/", production)
