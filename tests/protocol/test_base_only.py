"""A protocol without methods scores the base model."""

from runnable_world import PROTOCOL, Bench

from harness.results.leaderboard import Leaderboard

BASE_ONLY = PROTOCOL.partition("methods:")[0]


def test_a_protocol_without_methods_scores_the_base(tmp_path):
    bench = Bench(tmp_path, BASE_ONLY.replace("seeds: [0]", "seeds: [3, 4]"))
    assert [(method.name, method.seed, len(method.lineage)) for method in bench.plan.methods] == [("base", 3, 1)]
    outcome = bench.run()
    assert (outcome.executed, outcome.failures) == (2, ())
    leaderboard = Leaderboard.model_validate_json((outcome.folder / "leaderboard.json").read_text())
    [row] = [row for row in leaderboard.rows if not row.reference]
    assert (row.method, row.seeds) == ("base", (3,))
    assert row.scores.keys() == {"a", "b"}
    assert bench.run().executed == 0


def test_its_probes_see_the_base_alone(tmp_path):
    bench = Bench(tmp_path, BASE_ONLY + "probes: [{use: count}]\n")
    assert bench.run().failures == ()
