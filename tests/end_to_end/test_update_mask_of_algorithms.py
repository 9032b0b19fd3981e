"""Every algorithm that trains through TRL keeps an update mask, and resumes under it with the same bytes."""

from importlib import import_module

import pytest
import torch
from safetensors.torch import load_file
from training_folder import Killed, training_in

from harness import LineageEntry
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import nudged_checkpoint, tiny_domains
from harness.training import Mask, write_mask
from harness.weights import Scores, Stream, WeightFolder, select_highest

ALGORITHMS = {
    "grpo": ("harness_algorithms.grpo", {}),
    "rloo": ("harness_algorithms.grpo", {}),
    "replay": ("harness_algorithms.replay", {"share": 0.5}),
    "replay-sft": ("harness_algorithms.replay", {"share": 0.5, "rollouts": 16}),
    "anchored": ("harness_algorithms.anchored", {"anchor": "ewc", "strength": 10.0, "fisher_completions": 8}),
    "pcgrad": ("harness_algorithms.surgery", {}),
    "mgs": ("harness_algorithms.surgery", {}),
}
SMALL = {"steps": 2, "learning_rate": 1e-2, "prompts_per_step": 2, "generations": 4, "save_every": 1}


def algorithm(name):
    module, own = ALGORITHMS[name]
    [spec] = [spec for spec in import_module(module).harness_algorithms() if spec.name == name]
    config, kind = (getattr(import_module(path.split(":")[0]), path.split(":")[1]) for path in (spec.config, spec.load))
    return kind(config(**SMALL, **own, trl={"weight_decay": 0.5}, freeze={"fraction": 0.3, "completions": 8})), spec


def mask_of(folder, file):
    """Writes a mask of the rows of even number of all matrices; returns it."""
    model = WeightFolder(folder)
    names = tuple(name for name in model.names() if len(model.shape(name)) == 2)

    def formula(chunk, values, out):
        rows = (torch.arange(chunk.count) + chunk.start) // model.shape(chunk.name)[-1]
        out.copy_((rows % 2 == 0).float())

    scores = Scores(Stream([model], names), lambda: formula)
    even = sum((model.shape(name)[0] + 1) // 2 * model.shape(name)[1] for name in names)
    write_mask(file, model, names, select_highest(scores, even), {})
    return Mask(file)


def train(folder, name, kill_at=None):
    if not (folder / "base").exists():
        nudged_checkpoint(tiny_checkpoint(folder / "base"), folder / "start", seed=1)
    mask = mask_of(folder / "start", folder / "mask.safetensors")
    made, spec = algorithm(name)
    one, two = tiny_domains().values()
    lineage = [
        LineageEntry(step=0, label="base", domains=(), folder=folder / "base"),
        LineageEntry(step=1, label="one", domains=("one",), folder=folder / "start"),
    ]
    surgery = "surgery" in spec.load
    context = training_in(
        folder, folder / "start", [one, two] if surgery else [two], kill_at=kill_at, seed=7,
        earlier=[] if surgery else [one], lineage=lineage, mask=folder / "mask.safetensors",
    )  # fmt: skip
    result = made.train(context)
    return load_file(context.output / "model.safetensors"), mask, result


@pytest.mark.parametrize("name", ALGORITHMS)
def test_frozen_weights_keep_their_bits_also_after_a_kill(tmp_path, name):
    weights, mask, result = train(tmp_path / "undisturbed", name)
    start = load_file(tmp_path / "undisturbed" / "start" / "model.safetensors")
    moved = {key: start[key].view(torch.int32).ne(weights[key].view(torch.int32)) for key in start}
    assert not any((moved[key] & ~mask.changeable(key, start[key].shape)).any() for key in start)
    total = sum(value.numel() for value in start.values())
    share = sum(int(value.sum()) for value in moved.values()) / total
    assert 0.1 < share < (0.6 if "surgery" in ALGORITHMS[name][0] else 0.5)
    assert bool(result.report["freeze"]["frozen"]) == ("surgery" not in ALGORITHMS[name][0])
    with pytest.raises(Killed):
        train(tmp_path / "killed", name, kill_at=2)
    resumed, _, _ = train(tmp_path / "killed", name)
    assert all(resumed[key].equal(value) for key, value in weights.items())
