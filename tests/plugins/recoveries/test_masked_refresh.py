"""A masked refresh trains only the weights that rollback would set back; all others keep their bits."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from training_folder import Killed, training_in

from harness import LineageEntry, NoConfig, RecoveryContext, StepFailed
from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing import check_recovery
from harness.testing.tiny_world import nudged_checkpoint, tiny_domains, tiny_lineage
from harness.training import PolicyGradientConfig
from harness_algorithms.grpo.algorithm import GRPO
from harness_recoveries.refresh.config import RefreshConfig
from harness_recoveries.refresh.recovery import Refresh
from harness_recoveries.rollback.config import RollbackConfig
from harness_recoveries.rollback.recovery import Rollback

HARSH = {"steps": 3, "prompts_per_step": 2, "generations": 4, "learning_rate": 1e-2, "save_every": 2,
         "trl": {"weight_decay": 0.1}}  # fmt: skip


def recovery_in(folder, *, kill_at=None, lineage=None):
    for name in ("output", "scratch", "training"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if lineage is None:
        lineage = tiny_lineage(folder / "lineage")
    domains = tiny_domains()

    def progress(done, total, metrics):
        if done == kill_at and total == 3:
            raise Killed

    def train(checkpoint, names, *, mask=None):
        trained = [domains[name] for name in names]
        context = training_in(
            folder, checkpoint, trained, scratch=folder / "training", progress=progress, whole=True, mask=mask
        )
        return GRPO(PolicyGradientConfig(**HARSH)).train(context)

    return RecoveryContext(
        lineage=lineage, target="one", peak=1, domains=domains, output=folder / "output", scratch=folder / "scratch",
        metrics=folder / "metrics.jsonl", seed=1, progress=progress, train=train,
    )  # fmt: skip


def weights_in(folder):
    return load_file(folder / "model.safetensors")


def moved(context):
    """Returns which weights differ from the damaged checkpoint in a bit, over all parameters in order."""
    before, after = weights_in(context.checkpoint), weights_in(context.output)
    return torch.cat([before[n].view(torch.int32).ne(after[n].view(torch.int32)).flatten() for n in sorted(before)])


SETTINGS = {"score": "fisher", "fraction": 0.05, "completions": 8}


def test_it_trains_exactly_the_weights_that_rollback_sets_back(tmp_path):
    refreshed, rolled_back = recovery_in(tmp_path / "refresh"), recovery_in(tmp_path / "rollback")
    result = Refresh(RefreshConfig(mask=SETTINGS)).recover(refreshed)
    undone = Rollback(RollbackConfig(**SETTINGS)).recover(rolled_back)
    assert not (moved(refreshed) & ~moved(rolled_back)).any()
    assert moved(refreshed).sum() > 0.5 * moved(rolled_back).sum()
    assert result.report["mask"]["coordinates"] == undone.report["coordinates"] == int(moved(rolled_back).sum())
    assert result.report["coordinates"] == int(moved(refreshed).sum())
    assert result.cost.completions == 24 + 8
    assert result.cost.optimizer_steps == 3


def test_the_random_control_trains_as_many_weights(tmp_path):
    fisher, random = recovery_in(tmp_path / "fisher"), recovery_in(tmp_path / "random")
    one = Refresh(RefreshConfig(mask=SETTINGS)).recover(fisher)
    other = Refresh(RefreshConfig(mask={**SETTINGS, "score": "random"})).recover(random)
    assert one.report["mask"]["coordinates"] == other.report["mask"]["coordinates"]
    assert int(moved(random).sum()) <= other.report["mask"]["coordinates"]
    assert (moved(fisher) & moved(random)).sum() < 0.5 * moved(fisher).sum()
    assert other.cost.completions == 24


@pytest.mark.parametrize("kill_at", [1, 3])
def test_a_killed_refresh_ends_with_the_same_bytes(tmp_path, kill_at):
    undisturbed = recovery_in(tmp_path / "undisturbed")
    result = Refresh(RefreshConfig(mask=SETTINGS)).recover(undisturbed)
    folder = tmp_path / "killed"
    killed = recovery_in(folder, kill_at=kill_at)
    with pytest.raises(Killed):
        Refresh(RefreshConfig(mask=SETTINGS)).recover(killed)
    resumed = recovery_in(folder, lineage=killed.lineage)
    again = Refresh(RefreshConfig(mask=SETTINGS)).recover(resumed)
    first, second = weights_in(undisturbed.output), weights_in(resumed.output)
    assert all(first[name].equal(second[name]) for name in first)
    assert (again.cost.completions, again.report["mask"]) == (result.cost.completions, result.report["mask"])


def test_after_a_rollback_it_trains_what_the_rollback_set_back(tmp_path):
    rolled_back = recovery_in(tmp_path / "rollback")
    Rollback(RollbackConfig(**SETTINGS)).recover(rolled_back)
    after = LineageEntry(step=3, label="recover one (rollback)", domains=(), folder=rolled_back.output)
    refreshed = recovery_in(tmp_path / "refresh", lineage=[*rolled_back.lineage, after])
    Refresh(RefreshConfig(mask=SETTINGS)).recover(refreshed)
    assert moved(refreshed).any()
    assert not (moved(refreshed) & ~moved(rolled_back)).any()


def test_an_algorithm_that_ignores_the_mask_is_found(tmp_path):
    context = recovery_in(tmp_path)

    def train(checkpoint, names, *, mask=None):
        nudged_checkpoint(checkpoint, context.output, seed=9)

    with pytest.raises(StepFailed, match="outside the mask"):
        Refresh(RefreshConfig(mask=SETTINGS)).recover(replace(context, train=train))


def test_it_keeps_the_contract_of_recoveries(tmp_path):
    check_recovery(Refresh(RefreshConfig(mask={"score": "magnitude", "fraction": 0.5})), tmp_path, trains=True)


def test_a_refresh_of_all_weights_has_the_config_that_it_had():
    assert RefreshConfig().model_dump() == {}


PROTOCOL = """schema: 1
name: masked
model: {use: lab-tiny}
domains: {math: {use: lab-math}, qa: {use: lab-qa}}
train: {with: grpo, steps: 2, prompts_per_step: 2, generations: 2}
methods:
  a: [math, qa, {recover: math, with: refresh, STEP}]
"""


def problems(tmp_path, step):
    path = tmp_path / "masked.yaml"
    path.write_text(PROTOCOL.replace("STEP", step))
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path, Registry.discover())
    return [(problem.line, problem.key, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("step", "key", "message"),
    [
        ("mask: {fraction: 1.5}", "mask.fraction", "less than or equal to 1"),
        ("mask: {fraction: 0}", "mask.fraction", "greater than 0"),
        ("mask: {score: fischer}", "mask.score", "fisher"),
        ("mask: {fraction: 0.1}, lora: {rank: 2}", "mask", "lora trains others"),
    ],
)
def test_masks_that_make_no_sense_are_one_message_at_their_key(tmp_path, step, key, message):
    [(line, where, told)] = problems(tmp_path, step)
    assert (line, where) == (7, f"methods.a[2].{key}")
    assert message in told


def test_a_mask_of_an_algorithm_that_has_none_is_refused():
    key, message, _ = RefreshConfig(mask=SETTINGS).fault_with_training(NoConfig())
    assert (key, message) == ("mask", "this algorithm cannot train a part of the weights")
    assert RefreshConfig().fault_with_training(NoConfig()) is None


def test_rollback_and_refresh_are_one_chain_in_a_protocol(tmp_path):
    path = tmp_path / "chain.yaml"
    chain = "{recover: math, with: rollback}, {recover: math, with: refresh, mask: {fraction: 0.1}}"
    path.write_text(PROTOCOL.replace("{recover: math, with: refresh, STEP}", chain))
    steps = load_protocol(path, Registry.discover()).methods["a"]
    assert [step.label for step in steps] == ["math", "qa", "recover math (rollback)", "recover math (refresh)"]
    assert [step.peaks["math"] for step in steps[2:]] == [1, 1]
