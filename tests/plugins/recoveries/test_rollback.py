"""Rollback: which weights are set back, how far, and that nothing else changes."""

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from harness import CheckpointError, LineageEntry, RecoveryContext, StepFailed
from harness_recoveries.rollback.config import RollbackConfig
from harness_recoveries.rollback.recovery import Rollback

BASE = {"mlp": torch.zeros(2, 5), "norm": torch.ones(4)}
PEAK = {"mlp": torch.tensor([[1.0, 1, 1, 1, 1], [-1, -1, -1, -1, -1]]), "norm": torch.ones(4) * 2}
EDIT = torch.tensor([[0.1, -0.2, 0.3, -0.4, 0.5], [0.6, -0.7, 0.8, -0.9, 1.0]])
NOW = {"mlp": PEAK["mlp"] + EDIT, "norm": torch.ones(4) * 9}


def checkpoint(folder, tensors):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def recover(tmp_path):
    folders = {n: checkpoint(tmp_path / n, t) for n, t in (("base", BASE), ("peak", PEAK), ("now", NOW))}
    lineage = [
        LineageEntry(step=0, label="base", domains=(), folder=folders["base"]),
        LineageEntry(step=1, label="math", domains=("math",), folder=folders["peak"]),
        LineageEntry(step=2, label="qa", domains=("qa",), folder=folders["now"]),
    ]

    def run(peak=1, seed=0, **config):
        output = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        output.mkdir()
        context = RecoveryContext(
            lineage=lineage, target="math", peak=peak, domains={}, output=output, scratch=tmp_path,
            metrics=tmp_path / "m.jsonl", seed=seed, progress=lambda done, total, metrics: None,
        )  # fmt: skip
        result = Rollback(RollbackConfig(**config)).recover(context)
        return load_file(output / "model.safetensors"), result.report

    run.lineage = lineage
    return run


def went_back(tensors):
    return (tensors["mlp"] == PEAK["mlp"]).flatten().nonzero().flatten().tolist()


def test_magnitude_takes_the_largest_edits_and_only_them(recover):
    tensors, report = recover(score="magnitude", fraction=0.3)
    assert went_back(tensors) == [7, 8, 9]
    assert tensors["mlp"].flatten()[:7].equal(NOW["mlp"].flatten()[:7])
    assert report["coordinates"] == 3
    assert report["eligible_coordinates"] == 10
    assert report["norm"] == pytest.approx((0.8**2 + 0.9**2 + 1.0) ** 0.5, rel=1e-5)


def test_norm_parameters_stay_unless_asked_for(recover):
    tensors, _ = recover(score="magnitude", fraction=1.0)
    assert tensors["norm"].equal(NOW["norm"])
    assert tensors["mlp"].equal(PEAK["mlp"])
    tensors, _ = recover(score="magnitude", fraction=1.0, exclude=())
    assert tensors["norm"].equal(PEAK["norm"])


def test_sign_conflict_takes_edits_against_the_targets_own(recover):
    # The target's training moved the first row up and the second down; the later edit goes the other way at
    # 1 and 3 in the first row and at 0, 2 and 4 in the second.
    tensors, _ = recover(score="sign-conflict", fraction=0.5)
    assert went_back(tensors) == [1, 3, 5, 7, 9]


def test_strength_goes_part_of_the_way(recover):
    tensors, _ = recover(score="magnitude", fraction=0.1, strength=0.5)
    assert tensors["mlp"][1, 4] == pytest.approx(float(PEAK["mlp"][1, 4] + EDIT[1, 4] / 2))


def test_random_is_a_draw_of_its_seed_with_the_same_budget(recover):
    first, again, other = (recover(score="random", fraction=0.4, seed=s)[0] for s in (0, 0, 5))
    assert went_back(first) == went_back(again) != went_back(other)
    assert len(went_back(first)) == 4


def test_equal_scores_go_by_position(recover, tmp_path):
    flat = {"mlp": PEAK["mlp"] + 0.5, "norm": NOW["norm"]}
    save_file(flat, recover.lineage[2].folder / "model.safetensors")
    assert went_back(recover(score="magnitude", fraction=0.3)[0]) == [0, 1, 2]


def test_checkpoints_of_different_models_are_refused(recover):
    save_file({"mlp": torch.zeros(3), "norm": torch.ones(4)}, recover.lineage[2].folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="mlp has the shape"):
        recover(score="magnitude")


def test_sign_conflict_needs_a_checkpoint_before_the_peak(recover):
    with pytest.raises(StepFailed, match="own training"):
        recover(score="sign-conflict", peak=0)


@pytest.mark.parametrize("bad", [{"fraction": 0}, {"fraction": 2}, {"strength": 0}, {"score": "fischer"}, {"x": 1}])
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValidationError):
        RollbackConfig(**bad)


@pytest.mark.parametrize("equal", [True, False])
def test_a_peak_that_stores_its_tied_head_too(recover, equal):
    tied = {"model.embed_tokens.weight": torch.arange(6.0).view(2, 3)}
    moved = {name: tensor + 1 for name, tensor in tied.items()}
    head = {"lm_head.weight": tied["model.embed_tokens.weight"] + (0 if equal else 1)}
    for entry, tensors in zip(recover.lineage[1:], ({**tied, **head}, moved), strict=True):
        (entry.folder / "config.json").write_text('{"model_type": "llama", "tie_word_embeddings": true}')
        save_file(tensors, entry.folder / "model.safetensors")
    if equal:
        assert torch.equal(recover(score="magnitude", fraction=1.0)[0]["model.embed_tokens.weight"], *tied.values())
    else:
        with pytest.raises(CheckpointError, match="to which the config ties it"):
            recover(score="magnitude", fraction=1.0)
