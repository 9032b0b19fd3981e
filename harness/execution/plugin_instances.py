"""The objects behind a plan's plugin uses, each built once a process, and faults of plugins told as theirs."""

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
from harness.plugin.interfaces import Algorithm, BaseModel, Domain, Probe, Recovery, Reward, TrainingDomain
from harness.plugin.merge_interface import Merge
from harness.plugin.sampling import Sampling
from harness.protocol import instance_of
from harness.protocol.plugin_ref import PluginRef
from harness.weights.model_folder import check_checkpoint

if TYPE_CHECKING:
    from harness.plugin.registry import RegisteredPlugin, Registry


class PluginInstances:
    """Builds plugins from a registry, and keeps them: a domain's data or a reward model is loaded once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built: dict[str, Any] = {}
        self._folders: dict[str, Path] = {}

    def registered(self, use: PluginRef) -> RegisteredPlugin:
        """Returns the offer that `use` names. Raises PluginError where there is none."""
        return self._registry.find(use.kind, use.name)

    def _build(self, use: PluginRef) -> Any:
        name = content_key(kind=use.kind, identity=use.identity, config=dict(use.config))
        if name not in self._built:
            self._built[name] = instance_of(use, self._registry)
        return self._built[name]

    def built(self, use: PluginRef) -> Any:
        """Returns the object of any kind that `use` loads into. Raises PluginError where it cannot be built."""
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
        """Returns the base model's folder. Raises CheckpointError where it holds no whole model."""
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
        """Returns the base model's folder, having read it. Raises CheckpointError where transformers cannot load it, it
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
    """The domains of a plan as training sees them, each loaded when it is first asked for.

    trained: the training step whose sampling settings hold for a domain, by the domain's name.
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
    """Names a plugin to a person: distribution, version, kind and name."""
    return f"{registered.distribution} {registered.version}: {registered.kind} {registered.name!r}"


@contextmanager
def plugin_faults(registered: RegisteredPlugin, label: str, root: Path | None = None) -> Iterator[None]:
    """Raises StepFailed naming the plugin for an exception that it let out; a HarnessError passes.

    With the store's `root`, a full or forbidden disk is told as that and not as the plugin's fault.
    """
    try:
        yield
    except HarnessError as error:
        told = disk_error(error, root) if root is not None and error.__cause__ is not None else None
        if told is not None:
            raise told from error
        raise
    except (Exception, SystemExit) as error:
        told = disk_error(error, root) if root is not None else None
        if told is not None:
            raise told from error
        lines = str(error).strip().splitlines()
        raise StepFailed(
            f"{described(registered)} {'ran out of memory' if comes_of_memory(error) else 'failed'}:"
            f" {type(error).__name__}{': ' + lines[-1] if lines else ''}",
            where=label,
            hint=REMEDY
            if comes_of_memory(error)
            else "--debug shows the traceback; running again repeats only this and what depends on it",
        ) from error
