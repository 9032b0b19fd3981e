"""Analyses the source of tests, finds the candidate's names in it, and rewrites it to run in the sandbox."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

UNAVAILABLE = frozenset({"tree_node", "list_node", "is_same_tree", "is_same_list", "TreeNode", "ListNode"})
"""Names that LeetCode's judge defines and the data do not. Tests that use them cannot be run."""
CANDIDATE_MODULES = frozenset({"solution"})
AVAILABLE_MODULES = sys.stdlib_module_names | CANDIDATE_MODULES | {"pytest"}
RUN = "_harness_tests"
BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class TestProgram:
    """Tests that are ready to run.

    code: the source, in which each test is a block that records its result. names: the names of the candidate. calls:
    functions to call after the code, each with the candidate's name for its argument or None. functions: the text of
    each function. owners, texts: for each test, the function that contains it and its source.
    """

    __test__ = False  # not a test class: pytest must not collect it

    code: str
    names: tuple[str, ...]
    calls: tuple[tuple[str, str | None], ...]
    functions: dict[str, str]
    owners: tuple[str, ...]
    texts: tuple[str, ...]


class UnsupportedTestsError(Exception):
    """The tests use something that the sandbox does not have."""


def bound_names(tree: ast.AST) -> set[str]:
    """Returns the names that are bound anywhere in a tree."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.arg(arg=name):
                names.add(name)
            case ast.ExceptHandler(name=str() as name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name.split(".")[0] for alias in aliases)
    return names


def loaded_names(tree: ast.AST) -> set[str]:
    """Returns the names that are read anywhere in a tree."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def shadowed_builtins(tree: ast.Module, entry_point: str | None) -> set[str]:
    """Returns the names of builtins that refer to a function of the candidate.

    If tests call only builtins, the innermost call of each assertion must be to the candidate.
    """
    if entry_point is not None:
        return {entry_point} & BUILTINS
    imported = {name for name in bound_names(tree) if name not in BUILTINS}
    if loaded_names(tree) - BUILTINS - imported - {"math"} or from_candidate(tree):
        return set()
    tests = [node.test for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return {name for test in tests if (name := _innermost_call(test)) is not None}


def _innermost_call(tree: ast.expr) -> str | None:
    """Returns the name of the function in the most deeply nested call of an expression; of several, the first."""

    def calls(node: ast.AST, depth: int) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield depth, node.func.id
        for child in ast.iter_child_nodes(node):
            yield from calls(child, depth + isinstance(node, ast.Call))

    return max(calls(tree, 0), key=lambda call: call[0], default=(0, None))[1]


def from_candidate(tree: ast.AST) -> bool:
    """Returns whether the candidate's module is imported."""
    return bool(_modules(tree) & CANDIDATE_MODULES)


def prepared(source: str, entry_point: str | None) -> TestProgram:
    """Returns tests that are ready to run. Raises UnsupportedTestsError if they use something that is not available."""
    tree = ast.parse(source)
    if packages := _modules(tree) - AVAILABLE_MODULES:
        raise UnsupportedTestsError(
            f"the tests import {', '.join(sorted(packages))}, but the sandbox has only Python's standard library:"
            " leave the row out, or write its tests without it"
        )
    if missing := (loaded_names(tree) & UNAVAILABLE) - bound_names(tree):
        raise UnsupportedTestsError(f"the tests use {', '.join(sorted(missing))}, which is not in the sandbox")
    at_the_top = set().union(*(_bound_at_the_top(statement) for statement in tree.body))
    shadowed = shadowed_builtins(tree, entry_point)
    names = {name for name in loaded_names(tree) - at_the_top if name not in BUILTINS or name in shadowed} - {"math"}
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    calls: list[tuple[str, str | None]] = []
    if entry_point is not None and "check" in functions and "check" not in called:
        calls.append(("check", entry_point))
    calls += [
        (name, None)
        for name, node in functions.items()
        if name.startswith("test") and name not in called and (not node.args.args or "parametrize" in _decorators(node))
    ]
    calls += [
        (f"{node.name}.{method.name}", None)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and ("TestCase" in _bases(node) or node.name.startswith("Test"))
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name.startswith("test")
    ]
    if not names and not from_candidate(tree) and not any(argument for _, argument in calls):
        raise UnsupportedTestsError("the tests never call the program")
    texts = {name: ast.unparse(node) for name, node in functions.items()}
    sites = _Sites(names)
    tree = sites.visit(tree)
    return TestProgram(
        code=ast.unparse(ast.fix_missing_locations(tree)),
        names=tuple(sorted(names)),
        calls=tuple(calls),
        functions=texts,
        owners=tuple(sites.owners),
        texts=tuple(sites.texts),
    )


def _decorators(node: ast.FunctionDef) -> str:
    return " ".join(map(ast.unparse, node.decorator_list))


def _bases(node: ast.ClassDef) -> str:
    return " ".join(map(ast.unparse, node.bases))


def _modules(tree: ast.AST) -> set[str]:
    """Returns the packages that are imported anywhere in a tree."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def _bound_at_the_top(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    inner = [node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    return bound_names(statement) - {name for node in inner for name in bound_names(node)} | {
        node.name for node in inner if not isinstance(node, ast.Lambda)
    }


class _Sites(ast.NodeTransformer):
    """Rewrites each test as a `with` block, and passes functions and attributes to the run of the tests.

    An `assert` or `self.assert…()` is a test, and so is a whole `try` or `with raises(…)`, whose own assertions decide
    how it ends.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.owners: list[str] = []
        self.texts: list[str] = []
        self._owner = ""
        self._inside = False

    def _site(self, statement: ast.stmt) -> ast.stmt:
        """Returns the statement as a test, unless it is inside another test."""
        if self._inside:
            return self._visited(statement)
        self.owners.append(self._owner)
        self.texts.append(ast.unparse(statement).splitlines()[0][:200])
        call = f"{RUN}.site({len(self.owners) - 1})"
        self._inside = True
        body = self._visited(statement)
        self._inside = False
        return ast.With(items=[ast.withitem(context_expr=_expression(call))], body=[body])

    def _visited(self, statement: ast.stmt) -> ast.stmt:
        visited = self.generic_visit(statement)
        assert isinstance(visited, ast.stmt)
        return visited

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if isinstance(node.test, ast.Constant) and node.test.value:
            return ast.Pass()  # `assert True, "message"`, common in HumanEval, tests nothing
        return self._site(ast.Assert(test=node.test))

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        has_test = any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
        return self._site(node) if has_test else self._visited(node)

    def visit_With(self, node: ast.With) -> ast.stmt:
        text = ast.unparse(node.items[0])
        return self._site(node) if "raises(" in text or "assertRaises" in text else self._visited(node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        match node.value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name.startswith("assert"):
                return self._site(node)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="unittest" | "pytest"), attr="main")):
                return ast.Pass()  # the tests are called one by one
        return self._visited(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        if loaded_names(ast.Tuple(elts=node.bases)) & self.names:
            raise UnsupportedTestsError("the tests derive a class from one of the program's")
        outer = self._owner
        for index, method in enumerate(node.body):
            self._owner = outer or f"{node.name}.{getattr(method, 'name', '')}"
            node.body[index] = self.visit(method)
        self._owner = outer
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        if node.type is None:
            node.type = _expression("Exception")
        if loaded_names(node.type) & self.names:
            raise UnsupportedTestsError("the tests catch an exception class of the candidate's")
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        outer = self._owner
        self._owner = outer or node.name
        visited = self._visited(node)
        self._owner = outer
        return visited

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        text = ast.unparse(node)
        visited = self.generic_visit(node)
        assert isinstance(visited, ast.expr)
        return _call("function", visited, ast.Constant(text))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)
        else:
            node.func = self.visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        node.value = self.visit(node.value)
        return _call("value", node) if isinstance(node.ctx, ast.Load) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        if node.module not in CANDIDATE_MODULES:
            return node
        return [
            _named(alias.asname or alias.name, alias.name) for alias in node.names if alias.name != "*"
        ] or ast.Pass()

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        of_candidate = [alias for alias in node.names if alias.name in CANDIDATE_MODULES]
        node.names = [alias for alias in node.names if alias.name not in CANDIDATE_MODULES]
        named = [_named(alias.asname or alias.name, alias.name) for alias in of_candidate]
        return [*named, node] if node.names else named


def _named(name: str, of_candidate: str) -> ast.stmt:
    """Returns the statement that binds a name of the tests to a name of the candidate."""
    return ast.parse(f"{name} = {RUN}.name({of_candidate!r})").body[0]


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(func=_expression(f"{RUN}.{name}"), args=list(arguments), keywords=[])
