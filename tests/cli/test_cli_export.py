"""`harness export`: the copied checkpoint, the model card, and that no partial export remains."""

import shutil

import pytest
import typer
from fake_run import make_leaderboard
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from harness.cli import export as export_command
from harness.cli.session import Session
from harness.errors import DiskFull, HarnessError, UsageError
from harness.plugin.registry import Registry


@pytest.fixture
def run(tmp_path):
    """Returns (leaderboard, run folder) of a run with two seeds."""
    return make_leaderboard(tmp_path / "runs", seeds=(0, 1), shift=lambda seed: 0.01 * seed)


@pytest.fixture
def export(run):
    app = typer.Typer()

    @app.callback()
    def options(context: typer.Context) -> None:
        context.obj = Session()
        context.obj.__dict__["registry"] = Registry.of([])

    export_command.register(app)

    def invoke(*arguments):
        result = CliRunner().invoke(app, ["export", str(run[1]), *map(str, arguments)])
        if isinstance(result.exception, HarnessError):
            raise result.exception
        assert result.exit_code == 0, result.output

    return invoke


def weights(folder):
    return (folder / "model.safetensors").read_text()


def test_the_last_checkpoint_of_the_first_seed_is_copied(run, export, tmp_path):
    export("re-math", tmp_path / "new" / "model")
    key = run[0].row("re-math").trajectory[-1].checkpoints[0]
    assert weights(tmp_path / "new" / "model") == f"weights of {key}"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]


def test_a_seed_and_a_step_choose_another_checkpoint(run, export, tmp_path):
    export("re-math", tmp_path / "model", "--seed", 1, "--step", 2)
    assert weights(tmp_path / "model") == f"weights of {run[0].row('re-math').trajectory[2].checkpoints[1]}"


def test_the_card_holds_this_checkpoints_scores_as_evaluation_results(export, tmp_path):
    export("re-math", tmp_path / "model", "--seed", 1)
    card = ModelCard.load(tmp_path / "model" / "README.md")
    results = {result.dataset_name: result for result in card.data.eval_results}
    assert {name: result.metric_value for name, result in results.items()} == {"code": 73.0, "math": 94.0, "qa": 49.0}
    assert (results["math"].dataset_type, results["math"].metric_type) == ("fake_math", "acc")
    assert "- 4: recover math (refresh)" in card.text
    # results are grouped by data set type and configuration: two columns of one task are two data sets
    assert {name: result.dataset_config for name, result in results.items()} == {name: name for name in results}
    assert card.data.library_name == "transformers"


def test_the_card_does_not_tell_of_later_steps(export, tmp_path):
    export("re-math", tmp_path / "model", "--step", 2)
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert "train math" in card.text
    assert "train qa" not in card.text
    assert next(r.metric_value for r in card.data.eval_results if r.dataset_name == "math") == 95.0


def test_an_empty_folder_is_filled_and_another_one_refused(export, tmp_path):
    (tmp_path / "empty").mkdir()
    export("re-math", tmp_path / "empty")
    before = sorted(path.name for path in (tmp_path / "empty").iterdir())
    with pytest.raises(UsageError, match="not empty"):
        export("sequential", tmp_path / "empty")
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not a folder"):
        export("sequential", tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["re-maths"], "no method 're-maths'"),
        (["base"], "is the base model"),
        (["re-math", "--seed", 7], "no seed 7"),
        (["re-math", "--step", 9], "no step 9"),
        (["re-math", "--step", -1], "no step -1"),
    ],
)
def test_what_is_not_there_is_told_and_nothing_is_written(export, tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message):
        export(arguments[0], tmp_path / "model", *arguments[1:])
    assert not (tmp_path / "model").exists()


def test_a_checkpoint_that_the_store_lost_is_told(run, export, tmp_path):
    shutil.rmtree(run[1].parent / "store" / run[0].row("re-math").trajectory[-1].checkpoints[0])
    with pytest.raises(UsageError, match="store does not hold"):
        export("re-math", tmp_path / "model")


def test_a_copy_that_fails_leaves_nothing(export, tmp_path, monkeypatch):
    def fail(source, target, **_):
        (target / "model.safetensors").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(DiskFull, match=r"(?s)no space is left.*free about \d+ "):
        export("re-math", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
