from harness_NAME.observer import Table, TableConfig

from harness import Curve, ObservedRun


def test_only_curves_of_the_named_kind_are_written(tmp_path):
    table = Table(TableConfig(only="train"))
    table.start(ObservedRun(name="demo-1", protocol="demo", folder=tmp_path))
    table.log(Curve(key="a", name="train math (seed 0)", kind="train", seed=0), [(1, {"reward": 0.5})])
    table.log(Curve(key="b", name="scores of mine (seed 0)", kind="scores", seed=0), [(1, {"math": 0.5})])
    table.close()
    assert (tmp_path / "curves.csv").read_text().splitlines() == ["train math (seed 0),1,reward,0.5"]
