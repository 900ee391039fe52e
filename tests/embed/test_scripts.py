"""GET /capture.js and /embed.js: the scripts that other sites load."""

import re
from typing import Any

import pytest

from second_service import second_service

pytestmark = pytest.mark.one_database

SCRIPTS = ["/capture.js", "/embed.js"]
PLAIN = {"Accept-Encoding": "identity"}


async def script(api, path):
    answer = await api.get(path, headers=PLAIN)
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize(("path", "limit"), [("/capture.js", 2 * 1024), ("/embed.js", 16 * 1024)])
async def test_a_script_is_small_as_it_is_served(api, path, limit):
    assert len((await script(api, path)).content) < limit


@pytest.mark.parametrize("path", SCRIPTS)
async def test_any_site_can_load_a_script_also_with_crossorigin(api, path):
    answer = await script(api, path)

    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", SCRIPTS)
async def test_a_script_is_kept_for_minutes_and_then_revalidated(api, path):
    for coding in ("identity", "gzip", "br"):
        headers = {"Accept-Encoding": coding}
        answer = await api.get(path, headers=headers)
        assert answer.headers["cache-control"] == "public, max-age=600"
        assert answer.headers.get("content-encoding", "identity") == coding
        again = await api.get(path, headers=headers | {"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", SCRIPTS)
async def test_the_scripts_are_served_without_pages(database_url, path):
    async with second_service(database_url, pages="off") as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", SCRIPTS)
async def test_a_script_has_no_placeholder_comment_or_inline_style(api, path):
    text = (await script(api, path)).text

    assert not re.search(r'"\$[a-z]+"|\$accent|^\s*//', text, re.MULTILINE)
    assert not re.search(r"\beval\b|innerHTML|\.style\b|document\.cookie|new Function", text)


async def test_the_settings_stand_in_the_scripts(database_url):
    brand: dict[str, Any] = {
        "brand_color": "#7a3ff2",
        "share_text": 'en=Try "Acme" $texts; ru=Попробуйте Acme',
        "offer": "A month for free",
        "capture_parameter": "via",
        "embed_origins": ("https://acme.example",),
    }
    async with second_service(database_url, **brand) as client:
        capture, embed = [await script(client, path) for path in SCRIPTS]
        origin = await client.get("/embed.js", headers={"Origin": "https://acme.example"})

    assert 'parameter = "via"' in capture.text
    assert "light-dark(#7a3ff2," in embed.text
    assert r'"said":"Try \"Acme\" $texts"' in embed.text
    assert '"said":"Попробуйте Acme"' in embed.text
    assert embed.text.count('"offer":"A month for free"') == 2
    assert (origin.headers["access-control-allow-origin"], origin.headers["vary"]) == ("*", "Accept-Encoding")
