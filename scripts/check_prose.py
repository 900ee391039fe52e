"""Check the wording of docstrings, comments, documents, templates and message catalogues."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

PATHS = ["*.md", ".github/**/*.md", "docs/**/*.md", "bench/*.md", "examples/*.py", "scripts/*.py"]
PATHS += ["src/**/*.py", "src/**/*.html", "src/**/*.txt", "src/**/*.po"]
PATHS += [
    "clients/*/*.md",
    "clients/python/*.py",
    "clients/python/examples/*.py",
    "clients/python/src/goodword_client/*.py",
]

PHRASES = {
    "whoever|somebody|nobody|those who": "the component or role: the client, the worker, the user",
    "anew": "again",
    "of (theirs|ours)": "its own, or the name of the owner",
    "(is|are|was|were|be|been|being) told": "receives, gets, learns",
    "stands? (in|for|with)": "is in, means, belongs to",
    "(is|are) there for": "is for, serves",
    "it is so": "the fact itself",
    "letters?": "e-mail or message",
    "brought|people you brought": "referred, your referrals",
    "in force": "active",
    "outbox": "queue, or the folder of sent messages",
}
"""Phrases that must not occur, and what to write instead."""

ALLOWED = (
    "dead[- ]letters?|(latin|cyrillic|ascii|capital|lower-case|upper-case|look-alike) letters?|letter case"
    "|letters?(,| and| or) (digits?|numbers?|hyphens?)|(digits?|numbers?)(,| and| or) letters?"
)
"""Phrases of other meaning that contain a banned word."""

# First words of docstrings of functions that are always wrong, and those that are always right.
NO_VERBS = """
a all an any as at by each every everything for from he how if in it its never no none nothing of on once one
only she some something that the their there they this those to until what when where whether which while who
whoever whom whose why with without you your
"""
VERBS = """
accept activate add allow answer append apply ask assert authenticate authorize begin bind build call cancel
change check choose claim clear close collect combine commit compare compile compute configure confirm connect
convert copy count create decide decode decrypt define delete deliver derive describe disable discard do emit empty
enable encode encrypt end enforce enqueue ensure erase exchange execute expire export extend fail fetch fill
filter find finish follow forget format generate get give grant group handle hash hide ignore import increment
insert install invalidate invite issue join keep lease let limit link list listen load lock log make map mark mask
match measure merge migrate move normalise notify open parse pass perform place prepare prevent print protect
prove publish put raise raises read receive record redeem redirect refresh refuse register reject release
remember remove render replace report request require reset resolve respond restore retire retry return revoke
rotate round run save schedule seal search send serve set show sign skip sort split start stop store strip
take test trade translate try unlock update use validate verify wait wake walk warn watch withdraw wrap write
yield
"""
SHARE = 0.03  # of function docstrings may begin with a word outside of both lists


def _pattern(phrases: str) -> re.Pattern[str]:
    return re.compile(r"\b(" + phrases.replace(" ", r"\s+") + r")\b", re.IGNORECASE)


BANNED = {_pattern(phrases): advice for phrases, advice in PHRASES.items()}
CODE = re.compile(r"```.*?```|``.+?``|`[^`\n]*\n?[^`\n]*`|\]\([^)]*\)|<https?:[^>]*>", re.DOTALL)
MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<style.*?</style>|<[^>]*>", re.DOTALL)
TRANSLATED = re.compile(r"^(#|msgstr).*$(\n\".*$)*", re.MULTILINE)
Finding = tuple[int, str, str]  # line, what is wrong, what to write instead


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _python_prose(source: str) -> str:
    """Return the docstrings and comments of a module, each in its line, and empty lines for the rest."""
    lines, prose = source.splitlines(), [""] * (source.count("\n") + 1)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose[node.lineno - 1 : node.end_lineno] = lines[node.lineno - 1 : node.end_lineno]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            prose[token.start[0] - 1] += token.string.lstrip("#")
    return "\n".join(prose)


def find_phrases(suffix: str, source: str) -> Iterator[Finding]:
    """Yield the banned phrases in the prose of a file, also those across two lines."""
    if suffix == ".py":
        source = _python_prose(source)
    elif suffix == ".html":
        source = MARKUP.sub(_blank, source)
    elif suffix == ".po":
        source = TRANSLATED.sub(_blank, source)
    prose = _pattern(ALLOWED).sub(_blank, CODE.sub(_blank, source))
    for banned, advice in BANNED.items():
        for match in banned.finditer(prose):
            yield prose.count("\n", 0, match.start()) + 1, " ".join(match[0].lower().split()), advice


def first_words(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and first word of the docstring of each function. Properties may begin with a noun."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not (
            text := ast.get_docstring(node)
        ):
            continue
        if not any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
            yield node.body[0].lineno, text.split()[0].strip(".,:;").lower()


def check(sources: dict[str, str]) -> list[tuple[str, Finding]]:
    """Return the findings in these files, by name."""
    found = [(name, one) for name, text in sources.items() for one in find_phrases(Path(name).suffix, text)]
    modules = {name: text for name, text in sources.items() if name.endswith(".py")}
    words = [(name, *one) for name, text in modules.items() for one in first_words(text)]
    others = [one for one in words if one[2] not in VERBS.split()]
    for name, line, word in others:
        if word in NO_VERBS.split() or len(others) > SHARE * len(words):
            found.append((name, (line, f"docstring begins with {word!r}", "a verb: Return, Raise, Count")))
    return sorted(found)


def main() -> int:
    paths = {path for pattern in PATHS for path in ROOT.glob(pattern)}
    found = check({str(path.relative_to(ROOT)): path.read_text() for path in paths})
    for name, (line, wrong, advice) in found:
        print(f"{name}:{line}: {wrong}: write {advice}")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
