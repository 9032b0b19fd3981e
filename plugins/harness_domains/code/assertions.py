"""Parses simple tests, without running them, into calls of the candidate and checks of the returned values.

Simple tests are assertions about calls of the candidate with literal arguments, like nearly all of MBPP and HumanEval.
The calls run in the sandbox and return plain data. The checks run elsewhere, on that data, and never see an object of
the candidate. All other tests are run; see `running_tests`.
"""

from __future__ import annotations

import ast
import builtins
import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness_domains.code.in_sandbox.remote import OF_CONTAINERS, OF_DATA
from harness_domains.code.test_source import CANDIDATE_MODULES, UNAVAILABLE, bound_names, shadowed_builtins

PURE = frozenset(
    {"abs", "all", "any", "bool", "bytes", "bytearray", "chr", "complex", "dict", "divmod", "enumerate", "filter"}
    | {"float", "format", "frozenset", "hex", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next"}
    | {"oct", "ord", "pow", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple"}
    | {"type", "zip", "math"}
)
"""Names that do not belong to the candidate: builtins on plain data, and `math`, which tests use without import."""

_UNSTEADY_MODULES = frozenset({"random", "time", "datetime", "os", "sys", "unittest"})
VALUE = "_value_"


@dataclass(frozen=True)
class AssertCase:
    """One assertion.

    calls: expressions to evaluate with the candidate. check: an expression over their values, which are named
    `_value_0`, `_value_1`, … imports: code that the check needs.
    """

    calls: tuple[str, ...]
    check: ast.expr
    imports: str = ""


class _NotSimpleError(Exception):
    """The tests are not simple and have to be run."""


def read_assertions(source: str, entry_point: str | None = None) -> tuple[AssertCase, ...] | None:
    """Returns the assertions of simple tests, or None for other tests.

    entry_point: the function of the candidate that is passed to a `check` in the code. Raises SyntaxError, ValueError,
    RecursionError or MemoryError if the code does not parse.
    """
    tree = ast.parse(source)
    reader = _Reader(shadowed_builtins(tree, entry_point))
    try:
        reader.read(tree.body)
        if entry_point is not None and "check" in reader.functions and "check" not in reader.called:
            reader.call("check", ast.Name(id=entry_point, ctx=ast.Load()))
        for name, function in reader.functions.items():
            if name.startswith("test") and name not in reader.called and not function.args.args:
                reader.read(function.body)
            elif name not in reader.called:
                return None
    except _NotSimpleError:
        return None
    return tuple(AssertCase(calls, check, "\n".join(reader.imports)) for calls, check in reader.cases)


class _Reader:
    def __init__(self, shadowed: set[str]) -> None:
        self.cases: list[tuple[tuple[str, ...], ast.expr]] = []
        self.imports: list[str] = []
        self.functions: dict[str, ast.FunctionDef] = {}
        self.called: set[str] = set()
        self._shadowed = shadowed
        self._pure = set(PURE - shadowed)
        self._unreadable = set(UNAVAILABLE)
        """Names that a simple test may not use: variables, functions of the tests, nondeterministic modules."""

    def read(self, body: Sequence[ast.stmt], parameter: str | None = None, given: ast.expr | None = None) -> None:
        """Reads statements in order, with the name `parameter` replaced by `given`."""
        renaming = None if parameter is None or given is None else _Rename(parameter, given)
        for statement in body:
            self._statement(statement if renaming is None else renaming.visit(copy.deepcopy(statement)))

    def call(self, name: str, given: ast.expr) -> None:
        """Reads the body of a one-parameter function of the tests in place of a call to it."""
        function = self.functions[name]
        parameters = function.args.args
        if (
            len(parameters) != 1
            or name in self.called
            or parameters[0].arg in bound_names(ast.Module(function.body, []))
        ):
            raise _NotSimpleError
        self.called.add(name)
        self.read(function.body, parameters[0].arg, given)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assert(test=ast.Constant(value=value)) if value:
                pass  # `assert True, "message"`, common in HumanEval, tests nothing
            case ast.Assert(test=test):
                self._assertion(test)
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.FunctionDef(name=name, decorator_list=[]):
                self.functions[name] = statement
                self._unreadable.add(name)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[given], keywords=[])) if name in self.functions:
                self.call(name, given)
            case ast.Expr(value=ast.Constant() | ast.Name()) | ast.Pass():
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.Dict()):
                self._unreadable.add(name)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), orelse=[]):
                self.read(statement.body)
            case _:
                raise _NotSimpleError

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.ImportFrom):
            modules = [statement.module or ""]
            if statement.module in CANDIDATE_MODULES and not any(alias.asname for alias in statement.names):
                return
        else:
            modules = [alias.name for alias in statement.names]
        roots = {module.split(".")[0] for module in modules}
        if not roots <= sys.stdlib_module_names:
            raise _NotSimpleError
        bound = bound_names(statement)
        if roots & _UNSTEADY_MODULES:
            self._unreadable |= bound
        else:
            self.imports.append(ast.unparse(statement))
            self._pure |= bound

    def _assertion(self, test: ast.expr) -> None:
        split = _Split(frozenset(self._pure), frozenset(self._unreadable), self._shadowed, bound_names(test))
        check = split.visit(copy.deepcopy(test))
        assert isinstance(check, ast.expr)
        if not split.calls:
            raise _NotSimpleError
        self.cases.append((tuple(split.calls), ast.fix_missing_locations(check)))


class _Split(ast.NodeTransformer):
    """Replaces the candidate's calls in an expression by names of their values."""

    def __init__(self, pure: frozenset[str], unreadable: frozenset[str], shadowed: set[str], bound: set[str]) -> None:
        self.calls: list[str] = []
        self._pure, self._unreadable, self._shadowed, self._bound = pure, unreadable, shadowed, bound

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            raise _NotSimpleError
        if not isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Name):
            return self.generic_visit(node)
        chain = _chain(node)
        root = chain[0]
        if not isinstance(root, ast.Name) or root.id in self._bound or root.id in self._pure - self._unreadable:
            return self.generic_visit(node)
        asked = _asked(chain)
        if node is asked:
            return self._call(node)
        if isinstance(node, ast.Attribute) and node.attr not in OF_DATA:
            raise _NotSimpleError
        return self.generic_visit(node)

    def _call(self, node: ast.Call) -> ast.expr:
        own = {
            argument.arg for inner in ast.walk(node) if isinstance(inner, ast.Lambda) for argument in inner.args.args
        }
        used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - own
        imported = {name for name in used & self._pure if not hasattr(builtins, name)}
        if imported or used & (self._unreadable | self._bound):
            raise _NotSimpleError
        self.calls.append(ast.unparse(node))
        return ast.Name(id=f"{VALUE}{len(self.calls) - 1}", ctx=ast.Load())


def _asked(chain: Sequence[ast.expr]) -> ast.Call:
    """Returns the call to the candidate in `f(x).y`: `f(x)`, or `Solution().f(x)`."""
    match chain:
        case [ast.Name(id=name), ast.Call(), ast.Attribute(attr=attribute), ast.Call() as call, *_] if (
            name[:1].isupper() and attribute not in OF_DATA - OF_CONTAINERS and not attribute.startswith("__")
        ):
            return call
        case [ast.Name(), ast.Call() as call, *_]:
            return call
    raise _NotSimpleError


def _chain(node: ast.expr) -> list[ast.expr]:
    """Returns `f`, `f(x)`, `f(x).y`: the nested calls, attributes and subscripts, innermost first."""
    parts = [node]
    while isinstance(parts[-1], ast.Call | ast.Attribute | ast.Subscript):
        last = parts[-1]
        parts.append(last.func if isinstance(last, ast.Call) else last.value)
    return parts[::-1]


class _Rename(ast.NodeTransformer):
    def __init__(self, name: str, given: ast.expr) -> None:
        self._name, self._given = name, given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._given) if node.id == self._name else node
