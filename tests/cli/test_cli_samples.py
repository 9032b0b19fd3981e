"""`harness samples`, and the commands that `run` and `show` print to get there."""

import io
import json
import shlex

import pytest
import typer
from cli_output import cli_output
from fake_run import make_leaderboard
from rich.console import Console
from sample_world import answered, sampled_run

from harness import Run, UsageError
from harness.cli import samples as samples_command
from harness.cli import show as show_command
from harness.cli.show import print_leaderboard


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sampled_run(tmp_path_factory.mktemp("runs"), seeds=(0, 1))


def invoke(*arguments):
    app = typer.Typer()
    samples_command.register(app)
    show_command.register(app)
    return cli_output(app, *arguments)


def samples(*arguments):
    return invoke("samples", *arguments)


def blocks(text):
    """Returns the printed samples: lists of lines."""
    return [part.splitlines() for part in text.strip().split("\n\n")[1:] if not part.endswith("shows all")]


def test_the_counts_come_first_and_say_what_flipped(folder):
    lines = samples(folder, "sequential", "--step", 3, "--domain", "math").splitlines()
    assert lines[0] == "sequential, seed 0, step 3 (train qa)"
    assert lines[1] == (
        "math: 3 of 6 wrong; 1 flipped from right to wrong, 0 from wrong to right since step 2 (train math)"
    )


def test_what_flipped_stands_beside_the_step_before(folder):
    [block] = blocks(samples(folder, "sequential", "--step", 3, "--domain", "math", "--changed"))
    assert block == [
        "math 1 (fake_math): wrong, 0 by acc, right to wrong",
        "  prompt            prompt 1",
        "  target            target 1",
        "  step 2: right, 1  answer 1 of step 2",
        "  step 3: wrong, 0  answer 1 of step 3",
    ]
    [back] = blocks(samples(folder, "re-math", "--step", 4, "--domain", "math", "--changed", "--limit", 1))
    assert "wrong to right" in back[0]


@pytest.mark.parametrize(("option", "items"), [("--wrong", [1, 4, 5]), ("--right", [0, 2, 3])])
def test_filters_show_only_what_is_wrong_or_right(folder, option, items):
    shown = json.loads(samples(folder, "sequential", "--step", 3, "--domain", "math", option, "--json"))["samples"]
    assert [one["item"] for one in shown] == items
    assert {one["right"] for one in shown} == {option == "--right"}


def test_filters_combine_with_changes(folder):
    both = ["--step", 1, "--domain", "code", "--changed"]
    assert len(blocks(samples(folder, "sequential", *both))) == 1
    assert blocks(samples(folder, "sequential", *both, "--wrong")) == []
    with pytest.raises(UsageError, match="exclude each other"):
        samples(folder, "sequential", "--wrong", "--right")


@pytest.mark.parametrize(
    ("against", "method", "step"),
    [("1", "sequential", 1), ("-2", "sequential", 2), ("re-math", "re-math", 4), ("re-math@2", "re-math", 2)],
)
def test_another_checkpoint_stands_beside(folder, against, method, step):
    command = [folder, "sequential", "--domain", "qa", "--against", against]
    told = json.loads(samples(*command, "--json"))
    assert (told["against"]["method"], told["against"]["step"]) == (method, step)
    assert [one["completion_before"] for one in told["samples"]] == [
        f"answer {item} of step {step}" for item in range(6)
    ]
    assert f"answer 0 of step {step}" in samples(*command)


def test_the_base_model_has_no_step_before(folder):
    text = samples(folder, "base", "--domain", "math")
    assert text.splitlines()[:2] == ["base, seed 0, the base model", "math: 4 of 6 wrong"]
    with pytest.raises(UsageError, match="no step before the base model"):
        samples(folder, "sequential", "--step", 0, "--changed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "there is no method 'nobody'"),
        (["sequential", "--domain", "chess"], "there is no domain 'chess'"),
        (["sequential", "--seed", "7"], "has no seed 7"),
        (["sequential", "--against", "re-math@x"], "'re-math@x' is no checkpoint"),
        (["sequential", "--item", "99"], "there is no test item 99"),
    ],
)
def test_what_is_not_there_is_said(folder, arguments, message):
    with pytest.raises(UsageError, match=message):
        samples(folder, *arguments)


def test_a_seed_of_its_own(folder):
    assert "answer 0 of step 3, seed 1" in samples(folder, "sequential", "--seed", 1)


def test_ten_samples_are_shown_unless_asked_for_more(folder):
    text = samples(folder, "sequential")
    assert len(blocks(text)) == 10
    assert text.endswith("10 of 18 shown: --limit 0 shows all\n")
    assert len(blocks(samples(folder, "sequential", "--limit", 0))) == 18
    assert len(json.loads(samples(folder, "sequential", "--json"))["samples"]) == 18


def test_long_texts_are_cut_unless_one_item_is_shown(tmp_path):
    run = sampled_run(tmp_path, lambda *_: ("x" * 2000 + "end", 1.0))
    assert "500 more characters" not in samples(run, "sequential", "--item", 0, "--domain", "qa")
    assert "xend" in samples(run, "sequential", "--item", 0, "--domain", "qa")
    text = samples(run, "sequential", "--domain", "qa", "--limit", 1)
    assert "503 more characters" in text and "xend" not in text


HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07 [bold]not bold[/bold] \u202egnp\x9b2J\rover"


@pytest.mark.parametrize("terminal", [False, True])
def test_control_characters_of_a_model_are_shown_as_text(tmp_path, terminal):
    from harness.api.samples import checkpoint_samples
    from harness.cli.samples_view import print_samples

    run = sampled_run(tmp_path, lambda *_: (HOSTILE, 0.0))
    console = Console(file=io.StringIO(), width=160, force_terminal=terminal, color_system=None, legacy_windows=False)
    found = checkpoint_samples(Run(run), "sequential", domain="qa", beside=True)
    print_samples(found, found.frame.head(1), console, beside=True, whole=True, left_out=0)
    text = console.file.getvalue()
    for sign in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\r"):
        assert sign not in text
    assert "\\x1b[2J" in text and "[bold]not bold[/bold]" in text and "\\u202e" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(folder, width):
    from harness.api.samples import checkpoint_samples
    from harness.cli.samples_view import print_samples

    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    found = checkpoint_samples(Run(folder), "sequential", step=3, domain="math", beside=True)
    print_samples(found, found.frame, console, beside=True, whole=False, left_out=0)
    lines = [line for line in console.file.getvalue().splitlines() if "since step" not in line]
    assert max(map(len, lines)) <= width
    assert any("answer 1 of step 2" in line and "answer 1 of step 3" in line for line in lines) == (width == 200)


def last_lines(folder):
    console = Console(file=io.StringIO(), width=80)
    print_leaderboard(Run(folder), console)
    return console.file.getvalue().splitlines()[-2:]


def followed(command):
    """Runs a printed command and returns what it printed."""
    name, *arguments = shlex.split(command)
    assert name == "harness"
    return invoke(*arguments)


def test_a_domain_that_nothing_solves_leads_to_its_samples(tmp_path):
    def wrong_target(domain, item, step, seed):
        return ("42", 0.0) if domain == "math" else answered(domain, item, step, seed)

    run = sampled_run(tmp_path / "with space", wrong_target)
    why, command = last_lines(run)
    assert why == "math scores 0 in every method. To see what was answered, and the targets:"
    text = followed(command)
    assert "math: all 6 wrong" in text and "is the target the answer?" in text
    assert "  target      target 0" in text and "  completion  42" in text


def test_graded_scores_of_which_none_is_right_lead_to_their_samples(tmp_path):
    def poor(domain, item, step, seed):
        return ("poor", 0.1 + 0.05 * (item % 2)) if domain == "qa" else answered(domain, item, step, seed)

    why, command = last_lines(sampled_run(tmp_path, poor, stderr=0.01))
    assert why == "No sample of qa is right after re-math, whose score is 12.5. To see them:"
    assert "qa: all 6 wrong" in followed(command)


def test_otherwise_the_largest_fall_leads_to_what_flipped(folder):
    why, command = last_lines(folder)
    assert why.startswith("math fell most in step 3 of sequential (train qa), by 16.7 points.")
    assert "right to wrong" in followed(command)


def test_an_archived_leaderboard_names_no_command(tmp_path):
    _, folder = make_leaderboard(tmp_path)
    assert "harness samples" not in "\n".join(last_lines(folder))
    with pytest.raises(UsageError, match="this folder has no samples"):
        samples(folder, "sequential")


def test_where_lower_is_better_a_low_score_is_right(tmp_path):
    run = sampled_run(tmp_path, lambda domain, item, step, seed: ("x", float(item == 0)), higher_is_better=False)
    frame = Run(run).samples("sequential", domain="math")
    assert frame["right"].to_list() == [False, True, True, True, True, True]


def test_graded_scores_are_right_from_a_bound(tmp_path):
    run = sampled_run(tmp_path, lambda domain, item, step, seed: ("x", item / 10))
    assert "math: 5 of 6 wrong" in samples(run, "sequential", "--domain", "math")
    text = samples(run, "sequential", "--domain", "math", "--right-from", "0.2")
    assert "math: 2 of 6 wrong" in text and "--right-from" in text


def test_the_frame_has_both_checkpoints(folder):
    frame = Run(folder).samples("re-math", domain="math", against=3)
    assert frame.columns[-4:] == ["completion_before", "score_before", "right_before", "change"]
    assert frame["change"].to_list()[1] == "wrong to right"
    assert "change" not in Run(folder).samples("re-math", domain="math").columns
