from types import SimpleNamespace

import torch
from harness_NAME.merge import ScaledMean, ScaledMeanConfig

from harness.testing import tiny_lineage
from harness.weights import WeightFolder


def test_the_weights_count(tmp_path):
    base, one, two = tiny_lineage(tmp_path / "lineage")
    output = tmp_path / "output"
    output.mkdir()
    experts = [SimpleNamespace(weight=3.0, folder=one.folder), SimpleNamespace(weight=1.0, folder=two.folder)]
    ScaledMean(ScaledMeanConfig(scale=1)).merge(SimpleNamespace(base=base.folder, experts=experts, output=output))
    written, first, second = WeightFolder(output), WeightFolder(one.folder), WeightFolder(two.folder)
    for name in written.names():
        torch.testing.assert_close(written.read(name), 0.75 * first.read(name) + 0.25 * second.read(name))
