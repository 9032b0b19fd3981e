"""Reads Python test code, without running it, into calls of the candidate and checks of what they return.

A check never meets the candidate's objects: its calls are made in the sandbox and give plain data; the comparison is
made elsewhere, on the data alone. So a result whose `__eq__` is always true, or a program that exits before the
assertions, gains nothing.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PURE = frozenset(
    {"abs", "all", "any", "bool", "bytes", "bytearray", "chr", "complex", "dict", "divmod", "enumerate", "filter"}
    | {"float", "format", "frozenset", "hex", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next"}
    | {"oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple"}
    | {"type", "zip", "math"}
)
"""Names whose value is no candidate's: builtins of plain data, and `math`, which tests use without importing it."""

UNAVAILABLE = frozenset({"tree_node", "list_node", "is_same_tree", "is_same_list", "TreeNode", "ListNode"})
"""What LeetCode's judge defines and the data do not: a test that uses it cannot be run."""

_CANDIDATE_MODULES = frozenset({"solution"})
_UNSTEADY_MODULES = frozenset({"random", "time", "datetime", "os", "sys", "pytest", "unittest", "numpy"})
VALUE = "_value_"


@dataclass(frozen=True)
class AssertCase:
    """One assertion: expressions to evaluate with the candidate, and `check`, an expression over their values, which
    are named `_value_0`, `_value_1`, …"""

    calls: tuple[str, ...]
    check: ast.expr


@dataclass(frozen=True)
class Assertions:
    """The assertions of a test source, its imports as code, and how many assertions are in no form that can be read."""

    cases: tuple[AssertCase, ...]
    imports: str
    unsupported: int


def read_assertions(source: str, entry_point: str | None = None) -> Assertions:
    """Returns the assertions of test code: its own, those of functions it calls and of functions named `test…`.

    entry_point: the candidate's function that a `check` in the code is called with. Code that does not parse counts as
    one unsupported test.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Assertions((), "", 1)
    reader = _Reader()
    reader.read(body, {})
    if entry_point is not None and "check" in reader.functions:
        reader.call(ast.parse(f"check({entry_point})", mode="eval").body, {})
    for name, function in reader.functions.items():
        if name.startswith("test") and name not in reader.called and not function.args.args:
            reader.read(function.body, {})
    return Assertions(tuple(reader.cases), "\n".join(reader.imports), reader.unsupported)


class _Unsupported(Exception):
    """The expression cannot be split into calls of the candidate and a check of plain data."""


class _Reader:
    def __init__(self) -> None:
        self.cases: list[AssertCase] = []
        self.imports: list[str] = []
        self.functions: dict[str, ast.FunctionDef] = {}
        self.called: set[str] = set()
        self.unsupported = 0
        self._pure = set(PURE)
        self._unknown = set(UNAVAILABLE)
        self._state_changed = False
        """Whether a call was made for its effect: no later assertion can be taken for itself."""

    def read(self, body: Sequence[ast.stmt], names: dict[str, ast.expr]) -> None:
        """Reads statements in order; `names` are the values of the variables so far, and are added to."""
        for statement in body:
            self._statement(statement, names)

    def call(self, node: ast.expr, names: dict[str, ast.expr]) -> None:
        """Reads the body of a function of the tests in place of a call of it."""
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        function = self.functions[node.func.id]
        parameters = [argument.arg for argument in function.args.args]
        if node.keywords or len(node.args) != len(parameters) or node.func.id in self.called:
            self._skip(function)
            return
        self.called.add(node.func.id)
        given = [_replaced(argument, names) for argument in node.args]
        self.read(function.body, {**names, **dict(zip(parameters, given, strict=True))})

    def _statement(self, statement: ast.stmt, names: dict[str, ast.expr]) -> None:
        match statement:
            case ast.Assert(test=test):
                self._assertion(_replaced(test, names))
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.FunctionDef(name=name):
                self.functions[name] = statement
                self._unknown.add(name)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name)) as value) if name in self.functions:
                self.call(value, names)
            case ast.Expr(value=ast.Constant()) | ast.Expr(value=ast.Call(func=ast.Name(id="print"))) | ast.Pass():
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = _replaced(value, names)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names[name] = _replaced(value, names)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                self.read(statement.body, names)
            case ast.Expr():
                self._state_changed = True
            case _:
                self._skip(statement)
                mentioned = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
                for name in mentioned & set(names):  # it may have been changed in place
                    self._unknown.add(name)
                    del names[name]

    def _skip(self, statement: ast.stmt) -> None:
        self.unsupported += sum(isinstance(node, ast.Assert) for node in ast.walk(statement))
        self._unknown.update(_stored(statement))

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        modules = (
            [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [a.name for a in statement.names]
        )
        roots = {module.split(".")[0] for module in modules}
        bound = {alias.asname or alias.name.split(".")[0] for alias in statement.names}
        if roots & _CANDIDATE_MODULES:
            return
        if roots & _UNSTEADY_MODULES:
            self._unknown.update(bound)
            return
        self.imports.append(ast.unparse(statement))
        self._pure.update(bound)

    def _assertion(self, test: ast.expr) -> None:
        if isinstance(test, ast.Constant) and test.value:
            return  # `assert True, "message"`, which HumanEval has many of, tests nothing
        split = _Split(self._pure, self._unknown, test)
        try:
            if self._state_changed:
                raise _Unsupported
            check = split.visit(copy.deepcopy(test))
            assert isinstance(check, ast.expr)
            if not split.calls:
                raise _Unsupported
        except _Unsupported:
            self.unsupported += 1
            return
        self.cases.append(AssertCase(tuple(split.calls), ast.fix_missing_locations(check)))


class _Split(ast.NodeTransformer):
    """Takes the candidate's calls out of an expression."""

    def __init__(self, pure: Iterable[str], unknown: Iterable[str], whole: ast.expr) -> None:
        self.calls: list[str] = []
        self._pure = frozenset(pure)
        self._unknown = frozenset(unknown)
        self._bound = _bound(whole)

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            raise _Unsupported
        if not isinstance(node, ast.Call | ast.Attribute | ast.Name):
            return self.generic_visit(node)
        root = _root(node)
        if not isinstance(root, ast.Name):
            return self.generic_visit(node)
        if root.id in self._bound or (root.id in self._pure and root.id not in self._unknown):
            return self.generic_visit(node)
        return self._call(node)

    def _call(self, node: ast.expr) -> ast.expr:
        used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        outer = used & (self._bound - _bound(node))
        if outer or used & self._unknown or not any(isinstance(part, ast.Call) for part in _chain(node)):
            raise _Unsupported
        self.calls.append(ast.unparse(node))
        return ast.Name(id=f"{VALUE}{len(self.calls) - 1}", ctx=ast.Load())


def _chain(node: ast.expr) -> list[ast.expr]:
    """Returns `f(x).y`, `f(x)`, `f`: the parts of calls, attributes and subscripts down to where they begin."""
    parts = [node]
    while isinstance(parts[-1], ast.Call | ast.Attribute | ast.Subscript):
        last = parts[-1]
        parts.append(last.func if isinstance(last, ast.Call) else last.value)
    return parts


def _root(node: ast.expr) -> ast.expr:
    return _chain(node)[-1]


def _stored(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _bound(tree: ast.AST) -> set[str]:
    """Returns the names that comprehensions and lambdas of an expression bind."""
    lambdas = (node for node in ast.walk(tree) if isinstance(node, ast.Lambda))
    return _stored(tree) | {argument.arg for node in lambdas for argument in node.args.args}


class _Replace(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, ast.expr], bound: set[str]) -> None:
        self._names = names
        self._bound = bound

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._names and node.id not in self._bound:
            return copy.deepcopy(self._names[node.id])
        return node


def _replaced(expression: ast.expr, names: Mapping[str, ast.expr]) -> ast.expr:
    """Returns `expression` with its variables replaced by their values."""
    replaced = _Replace(names, _bound(expression)).visit(copy.deepcopy(expression))
    assert isinstance(replaced, ast.expr)
    return replaced
