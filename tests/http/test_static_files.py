"""Static files: compressed once, cached by their version, revalidated by their `ETag`."""

import re

import pytest

pytestmark = pytest.mark.one_database

YEAR = "public, max-age=31536000, immutable"


async def urls(api):
    """Return the addresses of the style sheet and of Swagger's script, as their pages name them."""
    page, docs = await api.get("/sign-in"), await api.get("/docs")
    style = re.search(r'href="(/pages/style.css[^"]+)"', page.text)[1]
    script = re.search(r'src="(docs/assets/swagger-ui-bundle.js[^"]*)"', docs.text)[1]
    return style, f"/{script}"


async def plain(api, url):
    return await api.get(url, headers={"Accept-Encoding": "identity"})


async def test_a_file_is_kept_for_a_year_at_the_url_of_its_version(api):
    for url in await urls(api):
        answer = await api.get(url)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, YEAR)
        for other in (url.partition("?")[0], f"{url.partition('?')[0]}?v=0123456789abcdef"):
            assert (await api.get(other)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=1.0", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000", None),
        ("identity", None),
        ("", None),
        ("brotli", None),
        (";;,,=", None),
    ],
)
async def test_a_file_is_sent_in_the_best_coding_that_the_client_accepts(api, accepted, coding):
    for url in await urls(api):
        expected = (await plain(api, url)).content
        answer = await api.get(url, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == coding
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.content == expected  # the client decodes it
        assert (int(answer.headers["content-length"]) < len(expected) / 2) is (coding is not None)


async def test_each_coding_has_a_tag_of_its_own(api):
    style, _ = await urls(api)
    tags = {
        (await api.get(style, headers={"Accept-Encoding": coding})).headers["etag"]
        for coding in ("br", "gzip", "identity")
    }

    assert len(tags) == 3


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_a_client_that_has_the_file_gets_304(api, form):
    for url in await urls(api):
        tag = (await api.get(url)).headers["etag"]
        answer = await api.get(url, headers={"If-None-Match": form.format(tag)})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, YEAR)


@pytest.mark.parametrize("tag", ['"other"', "", '"*"', "W/*"])
async def test_a_client_that_has_another_file_gets_this_one(api, tag):
    style, _ = await urls(api)

    assert (await api.get(style, headers={"If-None-Match": tag})).status_code == 200


async def test_the_document_is_compressed(api):
    answer = await api.get("/openapi.json", headers={"Accept-Encoding": "br"})

    assert (answer.headers["content-encoding"], answer.headers["cache-control"]) == ("br", "no-cache")
    assert answer.json()["info"]["title"] == "Goodword"
