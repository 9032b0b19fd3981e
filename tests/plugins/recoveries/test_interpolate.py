"""The recovery `interpolate`: a weighted mean of the damaged checkpoint and the peak."""

from __future__ import annotations

import pytest
import torch

from harness import CheckpointError, RecoveryContext
from harness.plugin.registry import Registry
from harness.testing import tiny_domains, tiny_lineage
from harness.testing.tiny_world import tiny_checkpoint
from harness.weights import WeightFolder, write_patched

OFFER = Registry.discover(only=["mdrl-harness"]).find("recovery", "interpolate")


@pytest.fixture
def recover(tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")

    def recovered(alpha, entries=lineage):
        output = tmp_path / f"output-{alpha}"
        output.mkdir()
        context = RecoveryContext(
            lineage=entries,
            target="one",
            peak=1,
            domains=tiny_domains(),
            output=output,
            scratch=tmp_path,
            metrics=tmp_path / "metrics.jsonl",
            seed=0,
            progress=lambda done, total, metrics: None,
        )
        result = OFFER.build(OFFER.config_type()(alpha=alpha)).recover(context)
        return lineage, WeightFolder(output), result

    return recovered


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_it_goes_part_of_the_way_to_the_peak(recover, alpha):
    lineage, output, result = recover(alpha)
    peak, damaged = (WeightFolder(lineage[step].folder) for step in (1, 2))
    for name, tensor in output:
        expected = (1 - alpha) * damaged.read(name) + alpha * peak.read(name)
        assert torch.allclose(tensor, expected, atol=1e-7)
    assert result.report["alpha"] == alpha
    assert result.report["norm"] > 0


def test_all_of_the_way_is_the_peak_itself(recover):
    lineage, output, _ = recover(1.0)
    peak = WeightFolder(lineage[1].folder)
    assert all(torch.equal(tensor, peak.read(name)) for name, tensor in output)


def test_it_is_refused_right_after_the_peak():
    config = OFFER.config_type()()
    assert config.fault_in_method(["base", "one", "two"], 1) is None
    key, message, _ = config.fault_in_method(["base", "one"], 1)
    assert key == "recover"
    assert "nothing was done since" in message


def test_a_peak_with_a_value_that_is_not_finite_is_refused(recover, tmp_path):
    lineage, _, _ = recover(0.1)
    broken = tmp_path / "broken"
    write_patched(WeightFolder(tiny_checkpoint(tmp_path / "tiny")), broken, lambda name, tensor: tensor * float("nan"))
    entries = [lineage[0], type(lineage[1])(step=1, label="one", domains=("one",), folder=broken), lineage[2]]
    with pytest.raises(CheckpointError, match="holds nan"):
        recover(0.2, entries)
