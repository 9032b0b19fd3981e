"""The plugin objects of a plan, each built once per process, and attribution of errors to plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness._util.content_key import content_key
from harness._util.disk_errors import disk_error
from harness._util.memory import REMEDY, comes_of_memory
from harness.errors import CheckpointError, HarnessError, StepFailed
from harness.planning.node import DomainUse, Node
from harness.planning.nodes import BaseNode
from harness.plugin.interfaces import Algorithm, BaseModel, Domain, Reward, TrainingDomain
from harness.plugin.merge_interface import Merge
from harness.plugin.probe_interface import Probe
from harness.plugin.recovery_interface import Recovery
from harness.plugin.sampling import Sampling
from harness.protocol import instance_of
from harness.protocol.plugin_ref import PluginRef
from harness.weights.model_folder import check_checkpoint

if TYPE_CHECKING:
    from harness.plugin.registry import RegisteredPlugin, Registry


class PluginInstances:
    """Builds plugins from a registry and caches them, so that the data of a domain or a reward model is loaded once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built: dict[str, Any] = {}
        self._folders: dict[str, Path] = {}

    def registered(self, use: PluginRef) -> RegisteredPlugin:
        """Returns the registered plugin for `use`. Raises PluginError if there is none."""
        return self._registry.find(use.kind, use.name)

    def _build(self, use: PluginRef) -> Any:
        name = content_key(kind=use.kind, identity=use.identity, config=dict(use.config))
        if name not in self._built:
            self._built[name] = instance_of(use, self._registry)
        return self._built[name]

    def built(self, use: PluginRef) -> Any:
        """Returns the plugin object for `use`, of any kind. Raises PluginError if it cannot be built."""
        return self._build(use)

    def model(self, use: PluginRef) -> BaseModel:
        return cast(BaseModel, self._build(use))

    def domain(self, use: PluginRef) -> Domain:
        return cast(Domain, self._build(use))

    def reward(self, use: PluginRef) -> Reward:
        return cast(Reward, self._build(use))

    def algorithm(self, use: PluginRef) -> Algorithm:
        return cast(Algorithm, self._build(use))

    def recovery(self, use: PluginRef) -> Recovery:
        return cast(Recovery, self._build(use))

    def merge(self, use: PluginRef) -> Merge:
        return cast(Merge, self._build(use))

    def probe(self, use: PluginRef) -> Probe:
        return cast(Probe, self._build(use))

    def base_folder(self, node: BaseNode) -> Path:
        """Returns the base model's folder. Raises CheckpointError if it has no complete model."""
        if node.key not in self._folders:
            model = self.model(node.model)
            with plugin_faults(self.registered(node.model), node.label):
                folder = model.folder()
            try:
                check_checkpoint(folder)
            except CheckpointError as error:
                raise error.met_by(described(self.registered(node.model))) from error
            self._folders[node.key] = folder
        return self._folders[node.key]

    def usable_base_folder(self, node: BaseNode) -> Path:
        """Returns the base model's folder after reading it. Raises CheckpointError if transformers cannot load it, it
        has no tokenizer, or a weight is NaN or infinite."""
        from harness.weights.loading import check_finite, check_loads

        folder = self.base_folder(node)
        try:
            check_loads(folder)
            check_finite(folder)
        except CheckpointError as error:
            raise error.met_by(described(self.registered(node.model))) from error
        return folder


class LazyDomains(Mapping[str, TrainingDomain]):
    """The training domains of a plan, each loaded on first access.

    trained: the training step whose sampling settings apply to a domain, by the domain's name.
    """

    def __init__(
        self, uses: Mapping[str, DomainUse], plugins: PluginInstances, *, trained: Mapping[str, Node] | None = None
    ) -> None:
        self._uses = uses
        self._plugins = plugins
        self._trained = trained or {}

    def __getitem__(self, name: str) -> TrainingDomain:
        use = self._uses[name]
        return TrainingDomain(
            name=name,
            domain=self._plugins.domain(use.plugin),
            reward=self._plugins.reward(use.reward),
            reward_label=described(self._plugins.registered(use.reward)),
            sampling=self._sampling(self._trained[name]) if name in self._trained else None,
        )

    def _sampling(self, step: Node) -> Sampling | None:
        algorithm = step.trained_with
        if algorithm is None:
            return None
        domains = [self._plugins.domain(self._uses[name].plugin) for name in step.trained_domains if name in self._uses]
        lengths = [domain.completion_tokens for domain in domains if domain.completion_tokens is not None]
        return Sampling.of_config(algorithm.config, max(lengths, default=None))

    def __iter__(self) -> Iterator[str]:
        return iter(self._uses)

    def __len__(self) -> int:
        return len(self._uses)


def described(registered: RegisteredPlugin) -> str:
    """Returns a description of a plugin for messages: distribution, version, kind and name."""
    return f"{registered.distribution} {registered.version}: {registered.kind} {registered.name!r}"


@contextmanager
def plugin_faults(registered: RegisteredPlugin, label: str, root: Path | None = None) -> Iterator[None]:
    """Converts an exception of a plugin to StepFailed with the plugin's name. A HarnessError is passed on.

    With the store's `root`, a full or read-only disk is reported as such instead of as a fault of the plugin.
    """
    try:
        yield
    except HarnessError as error:
        disk_fault = disk_error(error, root) if root is not None and error.__cause__ is not None else None
        if disk_fault is not None:
            raise disk_fault from error
        raise
    except (Exception, SystemExit) as error:
        disk_fault = disk_error(error, root) if root is not None else None
        if disk_fault is not None:
            raise disk_fault from error
        lines = str(error).strip().splitlines()
        raise StepFailed(
            f"{described(registered)} {'ran out of memory' if comes_of_memory(error) else 'failed'}:"
            f" {type(error).__name__}{': ' + lines[-1] if lines else ''}",
            where=label,
            hint=REMEDY
            if comes_of_memory(error)
            else "--debug shows the traceback; a new run only repeats this step and those that depend on it",
        ) from error
