"""Build the documentation site from the documents of the repository, into the folder site/html: `make docs`.

The documents stay as GitHub shows them. This script copies them, adapts links and lists for Zensical, and adds a page
for each file of the repository that a document links to. It fails if a link leads nowhere, if Zensical warns, or if a
page would load something from another host.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "site"
BUILD = ROOT / "site"
FILES = "repository"
"""The folder of the site for files outside docs/."""

README = "README.md"
SECTIONS = {"Quick start": "quick-start.md", "Try it": "story.md"}
"""Sections of the README that are pages of their own."""

PLACES = {
    README: "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "docs/decisions": "decisions/index.md",
    "docs/decisions/README.md": "decisions/index.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "bench/README.md": "benchmarks.md",
    "clients/python/README.md": "python-client.md",
    "clients/typescript/README.md": "typescript-client.md",
}
"""Where a document is on the site, if that does not follow from its name."""

LANGUAGES = {
    ".py": "python",
    ".toml": "toml",
    ".js": "javascript",
    ".html": "html",
    ".css": "css",
    ".ini": "ini",
}
LANGUAGES |= {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".conf": "nginx", ".sh": "sh"}

HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"
"""The head of a page that search does not find."""

EVIDENCE = {"docs/asvs.md", "docs/cases.md"}
"""Tables with the names of tests, which would hide what readers search for."""

FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r'`[^`]*`|(?P<open>\]\(|(?:src|href)=")(?P<target>[^)"\s]+)')
ITEM = re.compile(r" {0,3}(?:[-*+]|\d+[.)]) +")
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\s(?:src|data)=[\"']?([^\"'\s>]+)"
    r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|icon|preload|preconnect|dns-prefetch|manifest))[^>]*?href=[\"']?([^\"'\s>]+)"
    r"|url\([\"']?(?!data:)([^\"')]+)|@import [\"']([^\"']+)",
    re.IGNORECASE,
)
MARKDOWN = MarkdownIt("commonmark").enable("table")


class BrokenLink(Exception):
    """A document links to a file that does not exist."""


def slug(heading: str) -> str:
    """Return the anchor that GitHub and the site give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def place(path: str) -> str:
    """Return the page of the site for a file or folder of the repository."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if path.startswith("docs/pictures/"):
        return path.removeprefix("docs/")
    plain = "/".join(part.lstrip(".") for part in path.split("/"))
    if (ROOT / path).is_dir():
        return f"{FILES}/{plain}/index.md"
    return f"{FILES}/{plain.removesuffix('.md')}.md"


def sections(text: str) -> dict[str, str]:
    """Return the parts of a document by their headings of level 2. The part before the first has an empty heading."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


class Site:
    """The pages of the site, which grow by what they link to."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.waiting: list[str] = []
        self.seen: set[str] = set()

    def write(self, page: str, text: str) -> None:
        file = self.target / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def add(self, path: str) -> None:
        if path not in self.seen:
            self.seen.add(path)
            self.waiting.append(path)

    def fill(self) -> None:
        """Write the pages of all documents, and of all files that they link to."""
        for document in sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]):
            self.add(str(document.relative_to(ROOT)))
        for path in (*PLACES, "LICENSE"):
            self.add(path)
        while self.waiting:
            self.copy(self.waiting.pop())

    def copy(self, path: str) -> None:
        """Write the page of one file or folder."""
        source, page = ROOT / path, place(path)
        if path == README:
            self._readme(source.read_text())
        elif path.startswith("docs/pictures/") and source.is_file():
            (self.target / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, self.target / page)
        elif source.is_dir():
            if path not in PLACES:
                self.write(page, self._folder(path))
        elif path.endswith(".md"):
            head = HIDDEN if page.startswith(FILES) or path in EVIDENCE else ""
            self.write(page, head + self.adapt(source.read_text(), path, page))
        else:
            language = LANGUAGES.get(source.suffix, "text")
            self.write(page, f"{HIDDEN}# `{path}`\n\n````` {language}\n{source.read_text()}\n`````\n")

    def _readme(self, text: str) -> None:
        parts = sections(text)
        for heading, page in SECTIONS.items():
            self.write(page, self.adapt(f"# {heading}\n{parts[heading]}", README, page))
        parts[""] = parts[""].partition("\n")[2]  # without the name, which the logo shows
        home = self.adapt((SITE / "index.md").read_text(), "docs/site/index.md", "index.md")
        for heading, part in parts.items():
            mark = f"<!-- README: {heading} -->" if heading else "<!-- README: -->"
            home = home.replace(mark, self.adapt(part, README, "index.md"))
        self.write("index.md", home)

    def _folder(self, path: str) -> str:
        """Return a page that lists a folder, and begins with its README."""
        page, readme = place(path), ROOT / path / README
        title = readme.read_text() if readme.exists() else f"# `{path}`\n"
        text = HIDDEN + self.adapt(title, f"{path}/{README}", page)
        for entry in sorted((ROOT / path).iterdir()):
            name = f"{path}/{entry.name}"
            if entry.name.startswith(("__", ".")) or entry.name == README or entry.suffix in (".png", ".ico"):
                continue
            self.add(name)
            text += f"\n- [`{entry.name}`]({os.path.relpath(place(name), Path(page).parent)})"
        return text + "\n"

    def adapt(self, text: str, path: str, page: str) -> str:
        """Return a document with the links of its page, and with lists in the form that Zensical reads."""
        text, start = indent(text), 0
        parts: list[str] = []
        for fence in FENCE.finditer(text):
            code = fence[0].replace("```console", "```sh", 1)  # without a prompt, all of it would be output
            parts += [self._links(text[start : fence.start()], path, page), code]
            start = fence.end()
        return "".join([*parts, self._links(text[start:], path, page)])

    def _links(self, text: str, path: str, page: str) -> str:
        def link(match: re.Match[str]) -> str:
            if not match["target"] or urlsplit(match["target"]).scheme or match["target"][0] == "#":
                return match[0]
            return match["open"] + self.resolve(match["target"], path, page)

        return LINK.sub(link, text)

    def resolve(self, link: str, path: str, page: str) -> str:
        """Return the link from a page to what a document in `path` links to."""
        name, _, anchor = link.partition("#")
        target = os.path.normpath(ROOT / Path(path).parent / name)
        if not Path(target).exists():
            raise BrokenLink(f"{path} links to {link}, which does not exist")
        found = os.path.relpath(target, ROOT)
        self.add(found)
        to = place(found)
        if found == README:
            to = next((at for heading, at in SECTIONS.items() if slug(heading) == anchor), to)
            anchor = "" if to in SECTIONS.values() else anchor
        return os.path.relpath(to, Path(page).parent) + (f"#{anchor}" if anchor else "")


def indent(text: str) -> str:
    """Return Markdown whose lists are preceded by an empty line and continue with four blanks.

    CommonMark, as GitHub renders it, needs neither.
    """
    lines = text.split("\n")
    for token in reversed(MARKDOWN.parse(text)):
        if token.map is None or token.level > 1:
            continue
        start, end = token.map
        if token.type == "list_item_open" and token.level == 1 and (marker := ITEM.match(lines[start])):
            width = len(marker[0])
            inner = [line[width:] if line[:width].isspace() else line for line in lines[start + 1 : end]]
            first, *others = indent("\n".join([lines[start][width:], *inner])).split("\n")
            item = [f"{marker[0].strip():<4}{first}", *(f"    {line}" if line else "" for line in others)]
            lines[start:end] = [*item, ""] if "" in item and item[-1] else item
        elif token.type in ("bullet_list_open", "ordered_list_open") and start and lines[start - 1].strip():
            lines.insert(start, "")
    return "\n".join(lines)


def third_party(folder: Path) -> Iterator[str]:
    """Yield what pages and styles would load from other hosts."""
    for file in sorted([*folder.rglob("*.html"), *folder.rglob("*.css")]):
        text = re.sub(r"<(code|svg)\b.*?</\1>", "", file.read_text(), flags=re.DOTALL)
        for match in LOADED.finditer(text):
            address = next(part for part in match.groups() if part)
            if urlsplit(address).netloc:
                yield f"{file.relative_to(folder)} loads {address}"


def build(folder: Path) -> Path:
    """Build the site in a folder and return that of its files."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    shutil.copytree(SITE, pages, ignore=shutil.ignore_patterns("zensical.toml"))
    shutil.copyfile(SITE / "zensical.toml", folder / "zensical.toml")
    shutil.copyfile(ROOT / "src/goodword/web/html/static/icon.svg", pages / "icon.svg")
    Site(pages).fill()
    command = [Path(sys.executable).parent / "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  its own name
    if done.returncode:
        colorless = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        raise SystemExit(colorless.partition("Traceback")[0])
    if found := list(third_party(folder / "html")):
        raise SystemExit("\n".join(found))
    return folder / "html"


if __name__ == "__main__":
    try:
        print(f"Open {build(BUILD) / 'index.html'}")
    except BrokenLink as error:
        raise SystemExit(str(error)) from None
