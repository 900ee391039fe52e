"""scripts/site.py makes the pages of the documentation site, and its navigation lists all of them."""

import importlib.util
import re
import tomllib

import pytest

from serving import ROOT

SPEC = importlib.util.spec_from_file_location("site_pages", ROOT / "scripts" / "site.py")
site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(site)

UNLISTED = {"decisions/00*.md"}
"""Pages that an index lists."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    site.Site(folder).fill()
    return folder


def listed(nav):
    for entry in nav:
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            yield from listed(target) if isinstance(target, list) else [target]


def test_navigation_lists_every_page_once(pages):
    nav = tomllib.loads((ROOT / "docs" / "site" / "zensical.toml").read_text())["project"]["nav"]
    made = {page.relative_to(pages) for page in pages.rglob("*.md") if site.FILES not in page.parts}

    assert sorted(listed(nav)) == sorted(
        str(page) for page in made if not any(page.match(pattern) for pattern in UNLISTED)
    )


def test_links_between_documents_lead_to_pages_of_the_site(pages):
    integrate, security = (pages / "integrate.md").read_text(), (pages / "security.md").read_text()

    assert "](quick-start.md)" in integrate
    assert "](repository/examples/acme/index.md)" in integrate
    assert "](asvs.md)" in security
    assert (pages / "repository" / "examples" / "acme" / "reports.py.md").exists()
    assert (pages / "pictures" / "sequence.svg").exists()


def test_pages_have_no_link_out_of_the_site(pages):
    for page in pages.rglob("*.md"):
        prose = re.sub(
            r"^`````.*?^`````$", "", site.FENCE.sub("", page.read_text()), flags=re.MULTILINE | re.DOTALL
        )
        for match in site.LINK.finditer(prose):
            target = (match["target"] or "#").partition("#")[0]
            if target and "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.relative_to(pages)}: {target}"


def test_a_link_to_no_file_is_an_error(tmp_path):
    with pytest.raises(site.BrokenLink, match=r"docs/limits\.md links to nowhere\.md"):
        site.Site(tmp_path).adapt("[x](nowhere.md)", "docs/limits.md", "limits.md")


def test_links_in_code_stay_as_they_are(tmp_path):
    text = "`[x](nowhere.md)`\n\n```\n[x](nowhere.md)\n```\n"

    assert site.Site(tmp_path).adapt(text, "docs/limits.md", "limits.md") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n- b\n", "a\n\n-   b\n"),
        ("- a\n  b\n- c", "-   a\n    b\n-   c"),
        ("1. a\n\n   ```sh\n   b\n   ```\n", "1.  a\n\n    ```sh\n    b\n    ```\n\n"),
        ("- a\n  - b\n\n    c\n", "-   a\n\n    -   b\n\n        c\n\n"),
        ("```\n- a\n  b\n```\n", "```\n- a\n  b\n```\n"),
    ],
    ids=["list after text", "continued item", "code in an item", "list in a list", "code"],
)
def test_lists_have_the_form_that_zensical_reads(text, expected):
    assert site.indent(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/a.js">',
        "<link rel=stylesheet href=//fonts.example/css>",
        '<link href="https://fonts.example" rel="preconnect">',
        '<img alt="" src="https://a.example/b.png">',
        "<style>a { background: url(https://a.example/b.png) }</style>",
    ],
)
def test_a_third_party_resource_is_found(tmp_path, text):
    (tmp_path / "index.html").write_text(
        f'<a href="https://a.example">x</a><script src="b.js"></script>{text}'
    )

    assert len(list(site.third_party(tmp_path))) == 1
