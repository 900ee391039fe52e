"""docs/cryptography.md names every purpose that a key is derived for."""

import ast
import re

from serving import ROOT


def purposes():
    """What stands in calls of `derive_key`: texts, and names of constants, wherever they are set."""
    source = [ast.parse(path.read_text()) for path in (ROOT / "src" / "goodword").rglob("*.py")]
    calls = [node for tree in source for node in ast.walk(tree) if isinstance(node, ast.Call)]
    told = [
        call.args[1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "derive_key"
    ]
    named = {getattr(one, "attr", getattr(one, "id", None)) for one in told}
    constants = [
        node.value
        for tree in source
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in named
    ]
    return {one.value for one in (*told, *constants) if isinstance(one, ast.Constant)}


def test_every_key_is_there_and_no_other():
    rows = re.findall(
        r"^\| (`[^|]+) \|[^|]+\|[^|]+\|$", (ROOT / "docs" / "cryptography.md").read_text(), re.MULTILINE
    )

    assert sorted(re.findall(r"`([^`]+)`", " ".join(rows))) == sorted(purposes())
