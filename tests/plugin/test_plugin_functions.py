"""Functions as plugins: discovery in a module, checks, configuration, and broken functions."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

import harness
from harness import PluginError, RewardBatch, RewardResult, RewardSpec, hookimpl, score_rewards
from harness.plugin.discovery import Source
from harness.plugin.registry import Registry
from harness.testing import check_offer, sample_leaderboard
from harness.testing.tiny_world import tiny_lineage


def registry_of(*functions: Callable[..., Any]) -> Registry:
    plugin = SimpleNamespace(**{function.__name__: function for function in functions})
    registry = Registry.of([("harness-shout", plugin)])
    assert not registry.failures
    return registry


def scored(function: Callable[..., Any], *completions: str, config: Any = None, **columns: Any) -> list[RewardResult]:
    """Returns the results of a reward function on rows that all have `columns`."""
    [offer] = registry_of(function).all()
    reward = offer.build(offer.config_type()(**config or {}))
    batch = RewardBatch(prompts=["?"] * len(completions), completions=completions, rows=[columns] * len(completions))
    return score_rewards(reward, batch)


def values(results: list[RewardResult]) -> list[float | None]:
    return [result.value for result in results]


@harness.reward(name="shout")
def shout(completion: str, **row: Any) -> float:
    """The share of capital letters.

    And more.
    """
    return sum(letter.isupper() for letter in completion) / max(1, len(completion))


def test_a_decorated_function_stays_what_it_is() -> None:
    assert shout("AbcD") == 0.5


def test_the_registry_finds_functions_beside_hooks() -> None:
    @hookimpl
    def harness_rewards() -> Any:
        yield RewardSpec(name="whisper", summary="Quiet", load="a.b:C")

    plugin = SimpleNamespace(harness_rewards=harness_rewards, shout=shout, again=shout)
    registry = Registry.of([("harness-shout", plugin)])
    assert [(offer.kind, offer.name) for offer in registry.all()] == [("reward", "shout"), ("reward", "whisper")]
    assert registry.find("reward", "shout").spec.summary == "The share of capital letters."


def test_a_function_keeps_the_contract_of_its_kind(tmp_path: Path) -> None:
    registry = registry_of(shout)
    check_offer(registry.find("reward", "shout"), registry, tmp_path)


def test_a_name_that_a_hook_offers_too_is_refused() -> None:
    @hookimpl
    def harness_rewards() -> Any:
        yield RewardSpec(name="shout", summary="Loud", load="a.b:C")

    [failed] = Registry.of([("d", SimpleNamespace(harness_rewards=harness_rewards, shout=shout))]).failures
    assert "twice" in failed.error


def test_a_module_without_hooks_and_functions_is_no_plugin() -> None:
    [failed] = Registry.of([("d", SimpleNamespace(other=len))]).failures
    assert "no decorated function" in failed.error


# ------------------------------------------------------------------------------------------- what a reward is given


def test_columns_come_by_name_and_the_rest_in_row() -> None:
    seen = []

    @harness.reward(name="r")
    def function(completion: str, answer: str, hint: str = "none", **row: Any) -> bool:
        seen.append((answer, hint, row))
        return completion == answer

    assert values(scored(function, "7", "8", answer="7", level=3)) == [1.0, 0.0]
    assert seen[0] == ("7", "none", {"prompt": "?", "level": 3})


def test_a_function_without_row_is_given_no_more_than_it_names() -> None:
    @harness.reward(name="r")
    def function(text: str, prompt: str) -> int:
        return len(text + prompt)

    assert values(scored(function, "ab", text="a column of this name", other=1)) == [3.0]


def test_a_missing_column_is_told_with_those_there_are() -> None:
    @harness.reward(name="exact")
    def function(completion: str, answer: str, unit: str) -> float:
        raise AssertionError

    with pytest.raises(PluginError) as raised:
        scored(function, "7", word="seven")
    assert "'exact' reads the columns answer, unit" in raised.value.message
    assert "word, prompt" in raised.value.hint


def test_keyword_only_parameters_with_a_default_are_the_config() -> None:
    @harness.reward(name="r")
    def function(
        completion: str,
        *,
        mark: str = "!",
        most: Annotated[int, Field(ge=1, description="marks that count")] = 3,
        plain=0.5,
        **row: Any,
    ) -> float:
        assert set(row) == {"prompt"}
        return min(completion.count(mark), most) * plain

    [offer] = registry_of(function).all()
    properties = offer.config_schema()["properties"]
    assert (properties["most"]["description"], properties["most"]["minimum"]) == ("marks that count", 1)
    assert properties["plain"]["type"] == "number"
    assert values(scored(function, "!!!!")) == [1.5]
    assert values(scored(function, "??!", config={"mark": "?"}, most=7)) == [1.0]
    with pytest.raises(ValidationError):
        offer.config_type()(most=0)
    with pytest.raises(ValidationError):
        offer.config_type()(many=1)


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9), st.booleans()))
def test_a_number_is_the_reward(number: float) -> None:
    @harness.reward(name="r")
    def function(completion: str) -> float:
        return number

    assert values(scored(function, "x")) == [float(number)]


def test_none_abstains_and_a_result_passes() -> None:
    @harness.reward(name="r")
    def function(completion: str) -> RewardResult | None:
        return RewardResult.error("illegible") if completion else None

    abstained, failed = scored(function, "", "x")
    assert (abstained.outcome, failed) == ("abstain", RewardResult.error("illegible"))


def test_an_exception_is_the_error_of_one_completion() -> None:
    @harness.reward(name="r")
    def function(completion: str) -> float:
        return 1 / len(completion)

    good, bad = scored(function, "ab", "")
    assert good.value == 0.5
    assert bad.outcome == "error"
    assert "ZeroDivisionError" in bad.detail
    assert "test_plugin_functions.py" in bad.detail


@pytest.mark.parametrize("returned", ["1.0", [1.0], object()])
def test_what_is_no_number_is_a_fault_of_the_plugin(returned: object) -> None:
    @harness.reward(name="r")
    def function(completion: str) -> Any:
        return returned

    with pytest.raises(PluginError, match="not a number"):
        scored(function, "x")


def test_asynchronous_functions_wait_together() -> None:
    waiting = []

    @harness.reward(name="r")
    async def function(completion: str) -> float:
        waiting.append(completion)
        while len(waiting) < 2:
            await asyncio.sleep(0)
        return len(completion) if completion != "bad" else 1 / 0

    good, bad = scored(function, "ab", "bad")
    assert (good.value, bad.outcome) == (2.0, "error")


# ---------------------------------------------------------------------------------------------------- other kinds


def test_a_table_format_function(tmp_path: Path) -> None:
    @harness.table_format(name="lines", extension="txt")
    def lines(leaderboard: NotThere, *, gap: str = " ") -> str:  # noqa: F821 - a name for type checkers only
        return "\n".join(gap.join([row.method, *leaderboard.columns]) for row in leaderboard.rows)

    registry = registry_of(lines)
    [offer] = registry.all()
    assert offer.spec.extension == "txt"
    check_offer(offer, registry, tmp_path)
    table = offer.build(offer.config_type()(gap="|")).render(sample_leaderboard())
    assert table.splitlines()[0] == "recovered|code|math"


def test_a_probe_function(tmp_path: Path) -> None:
    @harness.probe(name="files", keys=["step"])
    def files(context: harness.ProbeContext) -> Any:
        for entry in context.lineage:
            yield {"step": entry.step, "files": len(list(entry.folder.iterdir()))}

    registry = registry_of(files)
    [offer] = registry.all()
    assert offer.spec.keys == ("step",)
    check_offer(offer, registry, tmp_path / "check")
    context = SimpleNamespace(lineage=tiny_lineage(tmp_path / "lineage"))
    assert [row["step"] for row in offer.build(offer.config_type()()).measure(context)] == [0, 1, 2]


# ------------------------------------------------------------------------------------------- what cannot be a plugin


def no_completion() -> float:
    return 0.0


def all_rest(completion: str, *rest: str) -> float:
    return 0.0


@pytest.mark.parametrize(("function", "told"), [(no_completion, "takes no completion"), (all_rest, r"\*rest")])
def test_a_reward_with_other_parameters_is_refused(function: Callable[..., float], told: str) -> None:
    with pytest.raises(PluginError, match=told) as raised:
        harness.reward(name="r")(function)
    assert "test_plugin_functions.py" in raised.value.message


@pytest.mark.parametrize("decorator", [harness.probe(name="p"), harness.table_format(name="t", extension="t")])
def test_probes_and_tables_take_one_argument(decorator: Any) -> None:
    def two(one: Any, other: Any) -> str:
        return ""

    with pytest.raises(PluginError, match="unexpected parameter other"):
        decorator(two)
    with pytest.raises(PluginError, match="takes no positional argument"):
        decorator(lambda: "")


def test_a_setting_of_an_unknown_type_is_refused() -> None:
    def function(completion: str, *, board: NotThere = None) -> float:  # noqa: F821
        return 0.0

    with pytest.raises(PluginError, match="NotThere"):
        harness.reward(name="r")(function)


# ------------------------------------------------------------------------------------------------- modules and keys


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Yields a package whose functions lie in a module of its own, and one that borrows a function of it."""
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("from loud.rewards import cry\n")
    (tmp_path / "loud" / "rewards.py").write_text(
        "import harness\n\n@harness.reward(name='cry')\ndef cry(completion: str, *, mark: str = '!') -> float:\n"
        "    return completion.count(mark)\n"
    )
    (tmp_path / "borrower.py").write_text("from loud import cry\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module
    for name in ("loud", "loud.rewards", "borrower"):
        sys.modules.pop(name, None)


def test_functions_of_a_packages_own_modules_are_found_and_others_are_not(package: Any) -> None:
    assert [offer.name for offer in Registry.of([("d", package("loud"))]).all()] == ["cry"]
    [failed] = Registry.of([("d", package("borrower"))]).failures
    assert "no decorated function" in failed.error


def test_the_functions_module_is_in_the_plugins_digest(package: Any) -> None:
    asked = []

    def files(modules: Any) -> dict[str, Path]:
        asked.append(modules)
        return {}

    loud: ModuleType = package("loud")
    source = Source(distribution="d", version="1", entry_point="e", load=lambda: loud, files=files, modules=("loud",))
    [offer] = Registry([source]).all()
    assert offer.source_digest is None
    assert set(asked[0]) == {"loud", "loud.rewards"}
