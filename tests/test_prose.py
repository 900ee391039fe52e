"""scripts/check_prose.py finds banned wording in prose, and nothing in code."""

import importlib.util

import pytest

from serving import ROOT

SPEC = importlib.util.spec_from_file_location("check_prose", ROOT / "scripts" / "check_prose.py")
check_prose = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_prose)


def found(name, text):
    return [(line, wrong) for _, (line, wrong, _) in check_prose.check({name: text})]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.md", "Fine.\n\nThe client is\ntold.", (3, "is told")),
        ("a.md", "Whoever asks", (1, "whoever")),
        ("a.txt", "You get a letter.", (1, "letter")),
        ("a.html", "<p>\n{# anew #}", (2, "anew")),
        ("a.po", 'msgid ""\n"a code in force"\nmsgstr ""\n', (2, "in force")),
        ("a.py", '"""Module.\n\nOf theirs: a row of theirs.\n"""', (3, "of theirs")),
        ("a.py", "N = 1\n# nobody\n", (2, "nobody")),
        ("a.py", 'N = 1\n"""The number that stands for one."""', (2, "stands for")),
        ("a.py", 'def f():\n    """The number."""', (2, "docstring begins with 'the'")),
        ("a.py", 'async def f():\n    """Numbers of it."""', (2, "docstring begins with 'numbers'")),
    ],
)
def test_check_finds_banned_wording(name, text, expected):
    assert expected in found(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.md",
            "A code has Latin letters, digits and hyphens. Retry a dead letter: `brought`.\n```\nanew\n```",
        ),
        ("a.html", '<p class="letter">{{ letters }}</p>'),
        ("a.po", '# somebody\nmsgid "active"\nmsgstr "letter"\n'),
        ("a.py", 'letter = "nobody"\n\n\ndef f():\n    """Return one."""\n'),
        (
            "a.py",
            'class A:\n    """The class."""\n\n    @property\n    def b(self):\n        """The value."""\n',
        ),
    ],
)
def test_check_finds_nothing_in_code_and_plain_words(name, text):
    assert found(name, text) == []


def test_a_few_docstrings_may_begin_with_an_unknown_word():
    plain = 'def f():\n    """Return one."""\n' * 40
    unknown = 'def f():\n    """Numbers of it."""\n'

    assert found("a.py", plain + unknown) == []
    assert len(found("a.py", plain + unknown * 2)) == 2
