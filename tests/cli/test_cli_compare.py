"""Two runs beside each other: settings, paired scores, test items; from Python and in the terminal."""

import io
import json

import pytest
import typer
from cli_output import cli_output
from fake_run import make_leaderboard
from rich.console import Console
from sample_world import answered, sampled_run
from scipy import stats

import harness
from harness import UsageError
from harness.cli import compare as compare_command
from harness.cli.compare_view import print_comparison
from harness.results.settings import differing, differing_in_places

SEEDS = (0, 1, 2)


def better_at_code(domain, item, step, seed):
    """Returns what `answered` does, but after step 1 code gains an item, for seed 2 two."""
    text, score = answered(domain, item, step, seed)
    gains = domain == "code" and step and item - step in (2, 3 if seed == 2 else 2)
    return text, 1.0 if gains else score


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    first = sampled_run(root, better_at_code, seeds=SEEDS)
    second = sampled_run(root, seeds=(*SEEDS, 3), steps=30)
    (second / "protocol.yaml").write_text("name: fake\ntrain: {steps: 30}\n")
    (second / "provenance.json").write_text(json.dumps({"python": "3.12.0", "packages": {"torch": "2.13.0"}}))
    return first, second


@pytest.fixture(scope="module")
def found(runs):
    return harness.compare(*runs)


def invoke(*arguments):
    app = typer.Typer()
    compare_command.register(app)
    app.command("other")(lambda: None)
    return cli_output(app, "compare", *arguments)


def test_the_settings_that_differ_are_named_with_their_source_and_steps(found):
    told = {(one.source, one.name): (one.first, one.second) for one in found.settings}
    assert told["protocol", "train.steps"] == ("–", "30")
    assert told["plan", "train.config.steps"] == ("60", "30")
    assert told["provenance", "python"] == ("3.11.7", "3.12.0")
    assert told["provenance", "packages.torch"] == ("–", "2.13.0")
    [steps] = [one for one in found.settings if one.source == "plan"]
    assert "sequential 1" in steps.places and "re-math 3" in steps.places and "re-math 0" not in steps.places


def test_final_scores_are_paired_by_the_common_seeds(found):
    assert [one.method for one in found.methods] == ["re-math", "sequential"]
    [sequential] = [one for one in found.methods if one.method == "sequential"]
    assert sequential.seeds == SEEDS
    code = sequential.scores["code"]
    per_seed = [100 / 6, 100 / 6, 100 / 6]
    assert code.per_seed == pytest.approx(per_seed)  # of the two items of seed 2, one was right before
    assert sequential.scores["math"].per_seed == (0.0, 0.0, 0.0)


def test_every_step_has_its_interval_and_the_tests_are_corrected_over_all(found):
    at = {(one.method, one.step, one.column): one for one in found.steps}
    one = at["sequential", 1, "code"]
    differences = list(one.score.per_seed)
    assert differences == pytest.approx([100 / 6, 100 / 6, 200 / 6])
    assert one.p_value == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue)
    expected = stats.t.interval(0.95, 2, loc=sum(differences) / 3, scale=stats.sem(differences))
    assert one.score.ci95 == pytest.approx(expected)
    tested = [step.p_value for step in found.steps if step.p_value is not None]
    assert one.holm_p_value >= one.p_value and len(tested) > 1
    assert sorted(filter(None, (step.holm_p_value for step in found.steps)))[0] >= min(tested) * len(tested) * 0.999


def test_steps_that_methods_share_come_once_and_the_same_checkpoints_are_not_tested(found):
    places = [(one.step, one.column) for one in found.steps if one.step < 4]
    assert len(places) == len(set(places))
    base = [one for one in found.steps if one.step == 0]
    assert base and all(one.same and one.p_value is None for one in base)


def test_items_that_only_one_run_answers_right_are_counted(found):
    flips = {(one.method, one.step, one.domain): one for one in found.flips}
    one = flips["sequential", 1, "code"]
    assert (one.first_only, one.second_only, one.items, one.seeds) == (4, 0, 18, SEEDS)
    assert one.both + one.neither + one.first_only + one.second_only + one.unmatched == one.items
    assert not any(step == 0 for _, step, _ in flips)  # the base model has the same results in both


def test_items_with_other_prompts_are_not_matched(tmp_path, monkeypatch):
    import sample_world

    first = sampled_run(tmp_path, seeds=(0,))
    whole = sample_world.sample
    monkeypatch.setattr(sample_world, "sample", lambda *given, **named: whole(*given, **named, prompt="another"))
    second = sampled_run(tmp_path, seeds=(0,), steps=30)
    flips = harness.compare(first, second).flips
    assert flips and all(one.unmatched == one.items for one in flips)


def test_the_reverse_comparison_has_the_opposite_signs(runs, found):
    back = harness.compare(*reversed(runs))
    for one, other in zip(found.methods, back.methods, strict=True):
        assert one.average.mean == pytest.approx(-other.average.mean)
        assert one.average_p_value == pytest.approx(other.average_p_value)
    assert (found.flips[0].first_only, found.flips[0].second_only) == (
        back.flips[0].second_only,
        back.flips[0].first_only,
    )


def test_a_run_does_not_differ_from_itself(runs):
    same = harness.compare(runs[0], runs[0])
    assert same.settings == () and same.flips == ()
    assert all(one.same for one in same.steps)
    assert "All steps have the same checkpoints" in invoke(runs[0], runs[0])


def test_runs_without_common_methods_or_seeds_say_so(tmp_path):
    _, one = make_leaderboard(tmp_path / "a", seeds=(0,), sequential="first")
    _, two = make_leaderboard(tmp_path / "b", seeds=(1,), sequential="second")
    found = harness.compare(one, two)
    assert (found.only_first, found.only_second, found.unpaired) == (("first",), ("second",), ("re-math",))
    text = invoke(one, two)
    assert "without a seed that both runs have: re-math" in text and "Final scores" not in text


def test_archived_leaderboards_are_compared_without_items(tmp_path):
    _, one = make_leaderboard(tmp_path / "a", seeds=SEEDS)
    _, two = make_leaderboard(tmp_path / "b", seeds=SEEDS, shift=lambda seed: 0.01 * (seed + 1), steps=30)
    found = harness.compare(one, two)
    assert found.flips == () and found.methods[0].average.mean == pytest.approx(-2.0)
    with pytest.raises(UsageError, match="there is no run"):
        harness.compare(one, "nothing", output=tmp_path)


def test_the_command_prints_all_parts_and_json_the_whole(runs, found):
    text = invoke(*runs)
    for part in ("train.config.steps of", "Final scores: average", "After each step", "right in one run only"):
        assert part in text
    assert "sequential 1 train code: code" in text
    assert json.loads(invoke(*runs, "--json")) == json.loads(found.to_json())
    assert "right in one run only" not in invoke(*runs, "--no-items")


@pytest.mark.parametrize("width", [60, 100, 200])
def test_on_a_terminal_intervals_are_drawn_and_nothing_is_cut_off(found, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    print_comparison(found, console)
    text = console.file.getvalue()
    assert "●" in text
    plain = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_comparison(found, plain)
    assert "\x1b[3" not in plain.file.getvalue()
    assert max(map(len, plain.file.getvalue().splitlines()[1:])) <= width


def test_nested_settings_differ_by_their_path():
    one = {"a": {"b": 1, "c": [1, 2]}, "list": [{"name": "x", "v": 1}], "same": None}
    two = {"a": {"b": 2, "c": [1, 2, 3]}, "list": [{"name": "x", "v": 2}, {"v": 3}], "same": None}
    told = {found.name: (found.first, found.second) for found in differing("protocol", one, two)}
    assert told == {"a.b": ("1", "2"), "a.c": ("[1, 2]", "[1, 2, 3]"), "list[x].v": ("1", "2"), "list[1].v": ("–", "3")}
    [one] = differing_in_places(
        "plan", {"m 1": {"k": 1}, "m 2": {"k": 1}, "m 3": {}}, {"m 1": {"k": 2}, "m 2": {"k": 2}}
    )
    assert one.places == ("m 1", "m 2")
