from types import SimpleNamespace

from harness_NAME import distance_from_base

from harness.testing import tiny_lineage


def test_the_base_has_no_distance_and_later_steps_do(tmp_path):
    context = SimpleNamespace(lineage=tiny_lineage(tmp_path))
    base, *later = distance_from_base(context)
    assert base["distance"] == 0
    assert all(row["distance"] > 0 for row in later)
    assert [row["distance"] for row in distance_from_base(context, part="no such tensor")] == [0, 0, 0]
