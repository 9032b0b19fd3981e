from types import SimpleNamespace

import torch
from harness_NAME.recovery import Midpoint, MidpointConfig

from harness.testing import tiny_lineage
from harness.weights import WeightFolder


def test_all_the_way_back_is_the_peak(tmp_path):
    _, peak, damaged = tiny_lineage(tmp_path / "lineage")
    output = tmp_path / "output"
    output.mkdir()
    context = SimpleNamespace(checkpoint=damaged.folder, peak_checkpoint=peak.folder, output=output)
    Midpoint(MidpointConfig(share=1)).recover(context)
    expected, written = WeightFolder(peak.folder), WeightFolder(output)
    for name in expected.names():
        torch.testing.assert_close(written.read(name), expected.read(name))
