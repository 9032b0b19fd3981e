"""Contract checks of a registered plugin of any kind: its spec, its config and its interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import HarnessError, PluginError, UsageError
from harness.plugin.interfaces import Reward
from harness.plugin.registry import RegisteredPlugin, Registry
from harness.plugin.specs import AlgorithmSpec, DomainSpec, MergeSpec, ProbeSpec, ProtocolSpec, RecoverySpec
from harness.testing.data_contracts import check_domain, check_model, check_protocol, check_reward, training_rows
from harness.testing.engine_contracts import check_engine
from harness.testing.observer_contract import check_observer
from harness.testing.rendering_contracts import check_metric, check_table_format
from harness.testing.requirement import require
from harness.testing.step_contracts import check_algorithm, check_merge, check_probe, check_recovery
from harness.testing.tiny_world import Digits

SAMPLE_ROWS = 16


def check_spec(offer: RegisteredPlugin) -> None:
    """Checks that the summary is one line, that `load` and `config` can be imported, and that the config has a schema.

    Raises PluginError for a violation.
    """
    summary = offer.spec.summary
    require(bool(summary.strip()) and "\n" not in summary, f"the summary is {summary!r}", "write one line")
    if not isinstance(offer.spec, ProtocolSpec):
        offer.config_schema()
        offer.implementation()


def check_offer(  # noqa: PLR0912  # one branch per kind
    offer: RegisteredPlugin,
    registry: Registry,
    folder: Path,
    config: Mapping[str, Any] | None = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Checks a registered plugin against the contract of its kind. config: its config keys. folder: an empty folder.

    A domain is checked with its default reward. A reward is checked on rows of the domains that use it by default; if
    there are none, or their data are not available, on the rows of the tiny domain, which have a `prompt` and an
    `answer`. others: config keys of these domains and rewards, by name, if their defaults are not sufficient.

    Raises PluginError for a violation. Any other HarnessError means that the plugin could not be checked: its config is
    incomplete or its data are not available.
    """
    check_spec(offer)
    if isinstance(offer.spec, ProtocolSpec):
        check_protocol(offer.spec.path, registry)
        return
    built = _build(offer, config or {}, registry)
    if offer.kind == "model":
        check_model(built)
    elif offer.kind == "domain":
        assert isinstance(offer.spec, DomainSpec)
        check_domain(built, trains=offer.spec.trains)
        if not offer.spec.trains:
            return
        reward = registry.find("reward", offer.spec.reward)
        check_reward(
            _build(reward, (others or {}).get(reward.name, {}), registry), training_rows(built, 0)[:SAMPLE_ROWS]
        )
    elif offer.kind == "reward":
        for rows in _rows_for(built, offer, registry, others or {}):
            check_reward(built, rows)
    elif offer.kind == "algorithm":
        assert isinstance(offer.spec, AlgorithmSpec)
        check_algorithm(built, folder, replays=offer.spec.replays, states=offer.spec.states)
    elif offer.kind == "recovery":
        assert isinstance(offer.spec, RecoverySpec)
        check_recovery(built, folder, trains=offer.spec.trains, several=offer.spec.several)
    elif offer.kind == "merge":
        assert isinstance(offer.spec, MergeSpec)
        check_merge(built, folder, trains=offer.spec.trains)
    elif offer.kind == "probe":
        assert isinstance(offer.spec, ProbeSpec)
        named = (*offer.spec.keys, *filter(None, [offer.spec.repeat]))
        check_probe(built, folder, scores=offer.spec.scores, keys=named)
    elif offer.kind == "metric":
        check_metric(built)
    elif offer.kind == "table-format":
        check_table_format(built)
    elif offer.kind == "observer":
        check_observer(built, folder)
    else:
        check_engine(built, folder)


def _build(offer: RegisteredPlugin, config: Mapping[str, Any], registry: Registry) -> Any:
    try:
        return registry.build(offer, offer.config_type()(**config))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UsageError(
            f"the config is invalid: {faults}",
            where=f"{offer.kind} {offer.name!r}",
            hint=f"`harness plugins show {offer.name}` lists its keys",
        ) from error


def _rows_for(
    reward: Reward, offer: RegisteredPlugin, registry: Registry, configs: Mapping[str, Mapping[str, Any]]
) -> list[list[dict[str, Any]]]:
    """Returns sample rows of each domain that uses this reward by default and has its data, else of the tiny domain.

    If the reward cannot score the rows of the tiny domain either, raises the error of a domain without data.
    """
    named = [
        other
        for other in registry.all("domain")
        if isinstance(other.spec, DomainSpec) and other.spec.reward in (offer.name, offer.qualified)
    ]
    found, absent = [], None
    for other in named:
        try:
            found.append(training_rows(_build(other, configs.get(other.name, {}), registry), 0)[:SAMPLE_ROWS])
        except PluginError:
            raise
        except HarnessError as error:
            absent = error
    if found:
        return found
    tiny = training_rows(Digits(), 0)
    if absent is not None and all(reward.unjudgeable([row["prompt"] for row in tiny], tiny)):
        raise absent
    return [tiny]
