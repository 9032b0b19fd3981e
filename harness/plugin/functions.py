"""Decorators that turn a plain function into a plugin.

    @harness.reward(name="shout")
    def shout(completion: str, *, mark: str = "!", **row) -> float:
        return completion.count(mark)

The decorated function is returned unchanged. To install it, name its module in the entry-point group
`harness.plugins`; the registry finds the decorated functions. Keyword-only parameters with a default form the config.
Plugins with state are classes, registered through the hooks of `harness.plugin.hookspecs`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import wraps
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from pydantic import create_model
from pydantic.errors import PydanticUserError

from harness.plugin.config import Config
from harness.plugin.metric_interface import Metric, ScoreMatrix
from harness.plugin.probe_interface import Probe, ProbeContext
from harness.plugin.reward_function import FunctionReward, broken, check_columns
from harness.plugin.source_digest import source_package
from harness.plugin.specs import NO_CONFIG, AnySpec, MetricSpec, ProbeSpec, RewardSpec, TableFormatSpec
from harness.plugin.table_interface import TableFormat

if TYPE_CHECKING:
    from harness.results.leaderboard import Leaderboard

Function = TypeVar("Function", bound=Callable[..., Any])
_SPECS = "__harness_specs__"


def reward(
    *, name: str, summary: str = "", needs: Collection[str] = (), cite: str | None = None
) -> Callable[[Function], Function]:
    """Makes a function a reward: `function(completion, column, …, *, key=default, **row)`, called once per completion.

    The first parameter receives the completion text. Parameters without a default receive the column of the training
    row with their name (`prompt` is one); positional parameters with a default receive their column if the row has it;
    `**row` receives the other columns. The function returns a number, None to abstain, or a `RewardResult`; it may be
    `async def`. An exception becomes the error of this completion only. summary: defaults to the first line of the
    docstring. Raises PluginError for a function with other parameters.
    """

    def mark(function: Function) -> Function:
        check_columns(function)
        load = _loader(function, lambda keys: FunctionReward(function, name, keys))
        return _marked(function, RewardSpec(load=load, **_described(function, name, summary, needs, cite)))

    return mark


def table_format(
    *, name: str, extension: str, summary: str = "", needs: Collection[str] = (), cite: str | None = None
) -> Callable[[Function], Function]:
    """Makes a function a table format: `function(leaderboard, *, key=default)` returns the table as text.

    extension: the file extension, without the dot. Raises PluginError for a function with other parameters.
    """

    def mark(function: Function) -> Function:
        _check_single_argument(function, "leaderboard")
        load = _loader(function, lambda keys: _FunctionTable(function, keys))
        described = _described(function, name, summary, needs, cite)
        return _marked(function, TableFormatSpec(load=load, extension=extension, **described))

    return mark


def probe(
    *,
    name: str,
    keys: Sequence[str] = (),
    repeat: str | None = None,
    scores: bool = False,
    summary: str = "",
    needs: Collection[str] = (),
    cite: str | None = None,
) -> Callable[[Function], Function]:
    """Makes a function a probe: `function(context, *, key=default)` returns or yields rows of plain JSON data.

    keys, repeat, scores: see `ProbeSpec`. Raises PluginError for a function with other parameters.
    """

    def mark(function: Function) -> Function:
        _check_single_argument(function, "context")
        load = _loader(function, lambda config: _FunctionProbe(function, config))
        described = _described(function, name, summary, needs, cite)
        return _marked(function, ProbeSpec(load=load, keys=tuple(keys), repeat=repeat, scores=scores, **described))

    return mark


def metric(
    *, name: str, higher_is_better: bool = True, decimals: int = 1, summary: str = "", cite: str | None = None
) -> Callable[[Function], Function]:
    """Makes a function a metric: `function(scores, *, key=default)` returns a number for one method and seed, or None.

    scores: a `ScoreMatrix`. higher_is_better, decimals: see `MetricSpec`. Raises PluginError for a function with other
    parameters.
    """

    def mark(function: Function) -> Function:
        _check_single_argument(function, "score matrix")
        load = _loader(function, lambda keys: _FunctionMetric(function, keys))
        described = _described(function, name, summary, (), cite)
        spec = MetricSpec(load=load, higher_is_better=higher_is_better, decimals=decimals, **described)
        return _marked(function, spec)

    return mark


class _FunctionTable(TableFormat):
    def __init__(self, function: Callable[..., str], keys: Mapping[str, Any]) -> None:
        self._function, self._keys = function, keys

    def render(self, leaderboard: Leaderboard) -> str:
        return self._function(leaderboard, **self._keys)


class _FunctionProbe(Probe):
    def __init__(self, function: Callable[..., Any], keys: Mapping[str, Any]) -> None:
        self._function, self._keys = function, keys

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        return list(self._function(context, **self._keys))


class _FunctionMetric(Metric):
    def __init__(self, function: Callable[..., float | None], keys: Mapping[str, Any]) -> None:
        self._function, self._keys = function, keys

    def compute(self, scores: ScoreMatrix) -> float | None:
        return self._function(scores, **self._keys)


def functions_of(plugin: object) -> Iterator[tuple[str, list[AnySpec]]]:
    """Yields (kind, specs) for each decorated function among the attributes of a plugin.

    Functions imported from the package of another distribution are skipped.
    """
    seen: set[int] = set()
    for value in vars(plugin).values() if hasattr(plugin, "__dict__") else ():
        if not isinstance(value, FunctionType) or id(value) in seen or not _belongs(value, plugin):
            continue
        seen.add(id(value))
        for spec in vars(value).get(_SPECS, ()):
            yield spec.kind, [spec]


def _belongs(function: FunctionType, plugin: object) -> bool:
    if not isinstance(plugin, ModuleType) or function.__module__ == plugin.__name__:
        return True
    return source_package(function.__module__) == source_package(plugin.__name__)


def _marked(function: Function, spec: AnySpec) -> Function:
    vars(function)[_SPECS] = (*vars(function).get(_SPECS, ()), spec)
    return function


def _described(
    function: Callable[..., Any], name: str, summary: str, needs: Collection[str], cite: str | None
) -> dict[str, Any]:
    """Returns the fields that all kinds of specs have, except `load`."""
    first, *_ = [*(inspect.getdoc(function) or "").splitlines(), ""]
    summary = summary or first or f"The function {function.__module__}.{function.__qualname__}"
    return {"name": name, "summary": summary, "config": _config(function), "needs": frozenset(needs), "cite": cite}


def _loader(function: Callable[..., Any], make: Callable[[Mapping[str, Any]], Any]) -> Callable[[Config], Any]:
    """Returns the `load` of a spec: given a config, it calls `make` with the config's values by name.

    It takes the function's name and module, so that messages and the source digest refer to the function's file.
    """

    @wraps(function, updated=())
    def load(config: Config) -> Any:
        return make({key: getattr(config, key) for key in type(config).model_fields})

    return load


def _config(function: Callable[..., Any]) -> str | type[Config]:
    """Returns a config whose fields are the function's keyword-only parameters with a default."""
    settings = {
        parameter.name: parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
    }
    if not settings:
        return NO_CONFIG
    fields: Any = {key: (_type_of(function, parameter), parameter.default) for key, parameter in settings.items()}
    title = f"{function.__name__.title().replace('_', '')}Config"
    try:
        return create_model(
            title,
            __base__=Config,
            __module__=function.__module__,
            __doc__=f"The config of {function.__name__}.",
            **fields,
        )
    except (PydanticUserError, NameError, TypeError) as error:
        raise broken(
            function, f"its parameters {', '.join(settings)} cannot form a config: {error}", "use JSON types"
        ) from error


def _type_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """Returns the annotated type of a parameter, else the type of its default."""
    if parameter.annotation is parameter.empty:
        return Any if parameter.default is None else type(parameter.default)
    holder = type("Annotations", (), {"__annotations__": {"type": parameter.annotation}})
    names = getattr(function, "__globals__", {})
    try:
        return get_type_hints(holder, globalns=names, include_extras=True)["type"]
    except NameError as error:
        message = f"cannot resolve the annotation {parameter.annotation!r} of {parameter.name}: {error}"
        raise broken(function, message, "import the name at module level, not under TYPE_CHECKING") from error


def _check_single_argument(function: Callable[..., Any], argument: str) -> None:
    first, *others = [*inspect.signature(function).parameters.values(), None]
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        raise broken(function, "it takes no positional argument", f"its first parameter must be the {argument}")
    for other in others:
        if other is not None and (other.kind is not other.KEYWORD_ONLY or other.default is other.empty):
            raise broken(
                function,
                f"it has an unexpected parameter {other}",
                f"its signature must be ({argument}, *, key=default), where the keyword-only parameters are its config",
            )
