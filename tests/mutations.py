"""The operators of `tests/safeguards`: each takes one safeguard out of the syntax tree of a symbol.

An operator names what it looks for by symbol (a function, an attribute, a keyword, a constraint), never by quoted
source, so a rename of local variables, a comment or a new line break does not disturb it. A name with dots matches
the end of the dotted name in the source: `throttle.check` matches `self.throttle.check(...)`.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CRITERIA = {"where", "filter", "and_", "or_"}


@dataclass(frozen=True)
class Mutation:
    """One change of one symbol: `module:name.of.symbol`, or a module or package alone."""

    symbol: str
    operator: str
    target: str
    value: str | None = None
    """The expression that takes the place, for operators that replace."""
    mentions: str | None = None
    """For `remove_raise`: only under conditions which mention this name."""

    def __str__(self) -> str:
        return f"{self.symbol}: {self.operator} {self.target}"


def mutated(mutation: Mutation, source: Path, edited: dict[Path, ast.Module]) -> None:
    """Apply a mutation to the modules it names and add them to `edited`. Raises `ValueError` if it finds nothing."""
    module, _, name = mutation.symbol.partition(":")
    done = False
    for file in _files(source, module):
        tree = edited.get(file) or ast.parse(file.read_text())
        before = ast.dump(tree)
        operator = OPERATORS[mutation.operator](mutation)
        if name:
            operator.visit(_find(tree, name))
        else:
            operator.visit(tree)
        if ast.dump(tree) != before:
            _fill_empty_bodies(tree)
            edited[file] = ast.fix_missing_locations(tree)
            done = True
    if not done:
        raise ValueError(f"{mutation}: not found")


def _files(source: Path, module: str) -> list[Path]:
    path = source.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return [path.with_suffix(".py")]
    files = sorted(path.rglob("*.py"))
    if not files:
        raise ValueError(f"{module}: no such module")
    return files


def _find(tree: ast.AST, name: str) -> ast.AST:
    node = tree
    for part in name.split("."):
        found = [child for child in ast.iter_child_nodes(node) if _name_of(child) == part]
        if not found:
            raise ValueError(f"{name}: no such symbol")
        node = found[0]
    return node


def _name_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)


def _fill_empty_bodies(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]


def matches(node: ast.AST, name: str) -> bool:
    """Return whether the expression is this name, or ends with it after a dot. A call stands for what it calls."""
    if isinstance(node, ast.Await | ast.Expr):
        return matches(node.value, name)
    if isinstance(node, ast.Call):
        return matches(node.func, name)
    return f".{_dotted(node)}".endswith(f".{name}")


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def mentions(node: ast.AST, name: str) -> bool:
    """Return whether the name, the attribute or the string occurs anywhere in the node."""
    return any(
        name in (getattr(part, "id", None), getattr(part, "attr", None), getattr(part, "value", None))
        for part in ast.walk(node)
    )


class Operator(ast.NodeTransformer):
    def __init__(self, mutation: Mutation) -> None:
        self.target, self.mentions = mutation.target, mutation.mentions
        self.value = ast.parse(mutation.value, mode="eval").body if mutation.value is not None else None

    def replacement(self) -> ast.expr:
        if self.value is None:
            raise ValueError("this operator takes a value")
        return self.value


class RemoveCall(Operator):
    """Delete the statements that only call this function."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        return None if isinstance(call, ast.Call) and matches(call, self.target) else node


class RemoveRaise(Operator):
    """Delete the `if` that raises or returns this error; where there is none, the `raise` alone."""

    def visit_If(self, node: ast.If) -> Any:
        last = node.body[-1]
        result = last.exc if isinstance(last, ast.Raise) else getattr(last, "value", None)
        if result is not None and matches(result, self.target) and self.fits(node.test):
            return node.orelse
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        found = node.exc is not None and matches(node.exc, self.target) and self.mentions is None
        return ast.Pass() if found else node

    def fits(self, test: ast.expr) -> bool:
        return self.mentions is None or mentions(test, self.mentions)


class RemoveIf(Operator):
    """Delete the `if` whose condition mentions this name."""

    def visit_If(self, node: ast.If) -> Any:
        return node.orelse if mentions(node.test, self.target) else self.generic_visit(node)


class RemoveCondition(Operator):
    """Delete the operand of `and` and `or`, or the criterion of a query, which mentions this name."""

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        kept = [value for value in node.values if not mentions(value, self.target)]
        if not kept:
            return self.generic_visit(node)
        node.values = kept
        return kept[0] if len(kept) == 1 else node

    def visit_Call(self, node: ast.Call) -> Any:
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if name in CRITERIA:
            node.args = [argument for argument in node.args if not mentions(argument, self.target)]
            if not node.args and isinstance(node.func, ast.Attribute):
                return self.visit(node.func.value)
        return self.generic_visit(node)


class RemoveMethod(Operator):
    """Take a method call out of a chain: `query.with_for_update()` becomes `query`."""

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == self.target:
            return self.visit(node.func.value)
        return self.generic_visit(node)


class ReplaceCall(Operator):
    """Put a value in the place of each call of this function."""

    def visit_Await(self, node: ast.Await) -> Any:
        return self.replacement() if self.is_it(node.value) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        return self.replacement() if self.is_it(node) else self.generic_visit(node)

    def is_it(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and matches(node, self.target)


class SetKeyword(Operator):
    """Give this keyword of a call another value."""

    def visit_keyword(self, node: ast.keyword) -> Any:
        if node.arg == self.target:
            node.value = self.replacement()
        return self.generic_visit(node)


class SetValue(Operator):
    """Give a constant another value; let a function return another one, whatever it is asked."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [ast.Return(self.replacement())]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            node.value = self.replacement()
        return node


class DropConstraint(Operator):
    """Leave a constraint, the uniqueness of an index or a trigger out of the migrations."""

    def visit_Expr(self, node: ast.Expr) -> Any:
        texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
        if any(f"CREATE TRIGGER {self.target} " in str(text) for text in texts):
            return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        if matches(node, "create_index") and mentions(node, self.target):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "unique"]
        node.args = [argument for argument in node.args if not self.is_it(argument)]
        return self.generic_visit(node)

    def is_it(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and _dotted(node.func).endswith("Constraint")
            and mentions(node, self.target)
        )


OPERATORS: dict[str, Callable[[Mutation], Operator]] = {
    "remove_call": RemoveCall,
    "remove_raise": RemoveRaise,
    "remove_if": RemoveIf,
    "remove_condition": RemoveCondition,
    "remove_method": RemoveMethod,
    "replace_call": ReplaceCall,
    "set_keyword": SetKeyword,
    "set_value": SetValue,
    "drop_constraint": DropConstraint,
}
