"""Downloads all files that a run of a protocol needs, so that the run needs no network.

Uses the same code as the run and the caches of Hugging Face's libraries, so existing files are not downloaded again.
Also compares training prompts with test items and finds rows that a domain's reward cannot judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.domains.contamination import Overlap, overlap
from harness.domains.data import SOURCE_TEXT, cached_commit
from harness.domains.judgeable import UnjudgeableRow, judgeable_rows, refuse
from harness.errors import PluginError
from harness.evaluation.lm_eval import load_tasks
from harness.execution.plugin_instances import PluginInstances, described, plugin_faults
from harness.planning.node import ColumnUse, DomainUse
from harness.planning.plan import Plan
from harness.plugin.interfaces import BaseModel, Domain, Reward, TaskSet, TrainingDomain

if TYPE_CHECKING:
    from datasets import Dataset

    from harness.plugin.registry import Registry

SEED = 0
"""Which training rows are looked at: a domain draws them by a seed, from the same data for every seed."""


@dataclass(frozen=True, kw_only=True)
class FetchedCommit:
    """A model or data set of the Hub, the requested revision, and its current commit."""

    kind: str
    name: str
    revision: str | None
    commit: str


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A downloaded part: its name and size, the overlap of a domain's test items with its training rows, the training
    rows that a reward cannot judge, and the commits of the Hub."""

    part: str
    detail: str
    overlap: Overlap | None = None
    commits: tuple[FetchedCommit, ...] = ()
    unjudgeable: tuple[UnjudgeableRow, ...] = ()


def prefetch(plan: Plan, registry: Registry, starting: Callable[[str], None]) -> Iterator[Fetched]:
    """Yields each part after its download. `starting` is called with its name before.

    Raises the errors of a run (UsageError, CheckpointError or PluginError) if a part is not available.
    """
    plugins = PluginInstances(registry)
    starting("base model")
    folder = plugins.base_folder(plan.base)
    yield Fetched(part="base model", detail=folder.name, commits=_commits(plugins.model(plan.base.model)))
    for use in plan.domains.values():
        starting(f"domain {use.name}")
        yield _domain(use, plugins)
        starting(f"reward of {use.name}")
        yield _reward(use, plugins, refuses=refuses(plan, use.name))
    for column in plan.columns.values():
        starting(f"column {column.name}")
        yield _column(column, plugins)


def _reward(use: DomainUse, plugins: PluginInstances, *, refuses: bool) -> Fetched:
    registered = plugins.registered(use.reward)
    with plugin_faults(registered, f"reward of {use.name}"):
        reward = plugins.reward(use.reward)
        reward.fetch()
        commits = _commits(reward)
        domain = plugins.domain(use.plugin)
        training = TrainingDomain(name=use.name, domain=domain, reward=reward, reward_label=described(registered))
        found = judgeable_rows(training, SEED)
    if refuses:
        refuse(use.name, found)
    return Fetched(part=f"reward of {use.name}", detail=use.reward.name, commits=commits, unjudgeable=found.left_out)


def refuses(plan: Plan, domain: str) -> bool:
    """Returns whether a training of the domain refuses to start if rows cannot be judged."""
    # A recovery may train on any domain that was trained before it.
    nodes = [node for node in plan.nodes.values() if node.recovered_domains or domain in node.sampled_domains]
    return any(use.config.get("unjudgeable") == "refuse" for node in nodes if (use := node.trained_with) is not None)


def _domain(use: DomainUse, plugins: PluginInstances) -> Fetched:
    registered = plugins.registered(use.plugin)
    with plugin_faults(registered, f"domain {use.name}"):
        domain = plugins.domain(use.plugin)
        rows = domain.training_data(SEED)
        if "prompt" not in rows.column_names:
            raise PluginError("returned training data without a column 'prompt'", where=described(registered))
        items = _test_items(domain)
        shared = overlap(_training_texts(rows), items)
        commits = _commits(domain)
    detail = f"{len(rows)} training prompts, {len(items)} test items"
    return Fetched(part=f"domain {use.name}", detail=detail, overlap=shared, commits=commits)


def _column(column: ColumnUse, plugins: PluginInstances) -> Fetched:
    registered = plugins.registered(column.plugin)
    with plugin_faults(registered, f"column {column.name}"):
        domain = plugins.domain(column.plugin)
        detail = f"{len(_test_items(domain))} test items"
        return Fetched(part=f"column {column.name}", detail=detail, commits=_commits(domain))


def text_overlap(domain: Domain) -> Overlap:
    """Returns the number of the domain's test items that share text with its training rows."""
    return overlap(_training_texts(domain.training_data(SEED)), _test_items(domain))


def _commits(part: BaseModel | Domain | Reward) -> tuple[FetchedCommit, ...]:
    """Returns the cached commits of a part's Hub sources."""
    found = {source: cached_commit(source) for source in part.hub_sources()}
    return tuple(
        FetchedCommit(kind=source.kind, name=source.name, revision=source.revision, commit=commit)
        for source, commit in found.items()
        if commit is not None
    )


def _training_texts(rows: Dataset) -> Iterable[str]:
    """Returns the text of each training row: the problem's own text if the domain has it, otherwise the prompt's."""
    return rows[SOURCE_TEXT] if SOURCE_TEXT in rows.column_names else map(_text, rows["prompt"])


def _test_items(domain: Domain) -> list[str]:
    """Returns the text of each test item: the problem's own text if the item has it, otherwise lm-eval's prompt."""
    tasks = load_tasks(TaskSet.of(domain), SEED)["tasks"]
    return [
        item[SOURCE_TEXT] if SOURCE_TEXT in item else _text(task.doc_to_text(item))
        for task in tasks.values()
        for item in task.eval_docs
    ]


def _text(prompt: Any) -> str:
    """Returns a prompt's text: for chat messages, the content of the user's messages."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(str(message["content"]) for message in prompt if message.get("role") == "user")
