"""`harness plan` on the command line: the tree, finished steps, and the cost of the rest."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from small_llama import SMALL_LLAMA
from small_world import PROTOCOL, small_world
from typer.testing import CliRunner

from harness._util.processor import Processor, processor_here
from harness.cli import app
from harness.cli.selection import methods_from, seeds_from
from harness.errors import UsageError
from harness.execution.store import Store
from harness.plugin.registry import Registry


@pytest.fixture
def harness(monkeypatch, tmp_path):
    """Runs a command of the harness in this process, on the small world, in a folder with `games.yaml`."""
    monkeypatch.setattr(Registry, "discover", lambda **chosen: small_world())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_RUNS", raising=False)
    (tmp_path / "games.yaml").write_text(PROTOCOL)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def told(result):
    assert result.exception is None
    return json.loads(result.stdout)


def finish(store, key):
    with Store(store).writing(key) as folder:
        (folder / "rows.json").write_text("[]")


def test_at_first_everything_is_to_do(harness):
    plan = told(harness("plan", "games.yaml", "--json"))
    assert plan["cost"] == plan["to_do"]
    assert plan["cost"]["optimizer_steps"] == 363
    assert plan["done"] == [plan["methods"][0]["lineage"][0]]


def test_what_the_store_holds_is_done(harness, tmp_path):
    plan = told(harness("plan", "games.yaml", "--json"))
    first = plan["methods"][0]["lineage"][1]
    finish(tmp_path / "elsewhere" / "store", first)
    begun, damaged = plan["methods"][0]["lineage"][2:4]
    (tmp_path / "elsewhere" / "store" / begun).mkdir()
    finish(tmp_path / "elsewhere" / "store", damaged)
    (tmp_path / "elsewhere" / "store" / damaged / "rows.json").unlink()  # `run` makes it again
    again = told(harness("plan", "games.yaml", "--json", "-o", "elsewhere"))
    assert set(again["done"]) - set(plan["done"]) == {first}
    assert again["to_do"]["optimizer_steps"] == 303
    assert told(harness("plan", "games.yaml", "--json"))["done"] == plan["done"]


def test_the_tree_shows_each_checkpoint_once(harness, tmp_path):
    plan = told(harness("plan", "games.yaml", "--json"))
    sequential = plan["methods"][0]["lineage"]
    finish(tmp_path / "runs" / "store", sequential[1])
    finish(tmp_path / "runs" / "store", plan["evaluations"][sequential[1]]["go"])
    lines = harness("plan", "games.yaml").stdout.splitlines()
    chess = [line for line in lines if sequential[1][:12] in line]
    assert len(chess) == 1
    assert chess[0].endswith(f"chess {sequential[1][:12]} done 1 of 3 scored")
    assert sum("to do 0 of 3 scored" in line for line in lines) == 5
    methods = {line.split("= ")[1].strip() for line in lines if "= " in line}
    assert methods == {"sequential", "again", "undone", "mixed"}
    assert any("recover go (undo)" in line for line in lines)
    assert "optimizer steps: 363, 303 to do" in lines


CONFIG = {**SMALL_LLAMA, "torch_dtype": "float32"}


def test_tokens_hours_and_disk_are_estimated_from_a_config(harness, tmp_path, monkeypatch):
    monkeypatch.setattr("small_world.Game.completion_tokens", 7)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    chosen = ("--model-config", ".", "--prompt-tokens", "3", "--gpu-teraflops", "1e-3", "--methods", "mixed")
    plan = told(harness("plan", "games.yaml", "--json", *chosen))
    assert plan["estimate"]["assumptions"]["prompt_tokens"] == 3
    assert plan["estimate"]["model_shape"]["parameters"] == 1160
    total = plan["estimate"]["total"]
    assert (total["generated_tokens"], total["prompt_tokens"]) == (180 * 8 * 7, 180 * 8 * 3)
    assert total["disk"]["total_bytes"] == 4640 * (1 + 2 * 3) + 3248
    # A sequence of 10 tokens: 20·1080 + 20·2·10·8 = 24,800 operations forward; 1,440 of them generated at a tenth of
    # 1e9 a second, and gone through forward and backward at four tenths.
    assert total["gpu_hours"] == pytest.approx(1440 * 24_800 * (1 / 0.1 + 3 / 0.4) / 1e9 / 3600)
    assert sum(node["generated_tokens"] or 0 for node in plan["estimate"]["nodes"].values()) == 180 * 8 * 7
    finish(tmp_path / "runs" / "store", plan["methods"][0]["lineage"][1])
    left = told(harness("plan", "games.yaml", "--json", *chosen))["estimate"]["to_do"]
    assert left["generated_tokens"] == 0
    assert left["disk"]["total_bytes"] == 3248  # the scores to come may have to restore the model
    lines = harness("plan", "games.yaml", *chosen).stdout.splitlines()
    figures = lines[next(index for index, line in enumerate(lines) if line.startswith("trainings")) :]
    assert "generated tokens: at most 10.1 thousand, 0 to do" in "\n".join(figures)
    assert max(map(len, figures)) <= 100


def test_a_model_of_unknown_size_is_told_with_what_to_do(harness):
    plan = told(harness("plan", "games.yaml", "--json"))
    assert plan["estimate"]["model_shape"] is None
    assert plan["estimate"]["total"]["gpu_hours"] is None
    shown = harness("plan", "games.yaml").stdout
    assert "PU hours, disk: unknown" in shown
    assert "--model-config FILE" in shown


@pytest.mark.parametrize(("kind", "hours"), [("gpu", "GPU hours: about"), ("cpu", "CPU hours: about")])
def test_hours_are_those_of_the_processor_that_is_here(kind, hours, harness, tmp_path, monkeypatch):
    here = Processor(kind=kind, cores=2, memory_bytes=8 << 30)
    monkeypatch.setattr("harness._util.processor.processor_here", lambda: here)
    monkeypatch.setattr("small_world.Game.completion_tokens", 7)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    shown = harness("plan", "games.yaml", "--model-config", ".").stdout
    assert hours in shown
    assert ("memory to train all parameters: at least 18.1 KiB of this machine's 8 GiB" in shown) == (kind == "cpu")
    assert ("GPU hours" in shown) == (kind == "gpu")
    assumed = told(harness("plan", "games.yaml", "--model-config", ".", "--json"))["estimate"]["assumptions"]
    assert (assumed["processor"], assumed["gpu_teraflops"]) == (kind, 989.0 if kind == "gpu" else 0.4)


def test_a_gpu_is_one_that_has_a_device_file_and_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidiactl").touch()
    assert processor_here(tmp_path).kind == "cpu"
    (tmp_path / "nvidia0").touch()
    assert processor_here(tmp_path).kind == "gpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert processor_here(tmp_path).kind == "cpu"


def test_a_config_without_a_decoders_sizes_is_a_usage_error(harness, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for file, said in (("config.json", "not describe a dense decoder"), ("absent.json", "cannot read config.json")):
        error = harness("plan", "games.yaml", "--model-config", file).exception
        assert isinstance(error, UsageError)
        assert said in str(error)


def test_code_that_will_be_executed_is_announced(harness, tmp_path):
    runs = PROTOCOL.replace("{use: chess}", "{use: chess, reward: run}")
    (tmp_path / "games.yaml").write_text(runs)
    assert "allow: [executes-code]" in str(harness("plan", "games.yaml").exception)
    (tmp_path / "games.yaml").write_text(runs + "allow: [executes-code]\n")
    assert "executes code written by a model" in harness("plan", "games.yaml").stdout
    plan = told(harness("plan", "games.yaml", "--json", "--methods", "sequential"))
    assert plan["needs"] == [{"need": "executes-code", "plugin": "reward run", "nodes": 1, "sandboxes": []}]
    assert plan["allowed"] == ["executes-code"]
    assert set(plan["sandboxes_installed"]) == {"bubblewrap", "monty"}


def test_a_papers_plan_is_estimated_before_anything_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    result = CliRunner().invoke(app, ["plan", "code-math-qa-cw", "--json", "-o", str(tmp_path)])
    plan = told(result)
    assert plan["estimate"]["model_shape"]["parameters"] == 4_022_468_096
    total = plan["estimate"]["total"]
    # 1,289 steps of 512 completions, and 128 for the Fisher, each at most 8,192 tokens.
    assert total["training_generated_tokens"] == (1289 * 512 + 128) * 8192
    # Ten checkpoints in float32 and a Fisher, and at one time three states of the weights and two moments, and deltas
    # beside the models of a lineage of five steps and of two more.
    assert total["disk"]["total_bytes"] == 4_022_468_096 * 4 * (10 + 1 + 3 * 3) + int(0.7 * 4_022_468_096 * 4 * 7)
    code = [need for need in plan["needs"] if need["need"] == "executes-code"]
    assert {need["plugin"]: need["sandboxes"] for need in code} == {
        "domain code": ["auto"],
        "reward code-tests": ["auto"],
    }


def test_versions_that_are_others_than_the_runs_are_shown(harness, tmp_path):
    plan = told(harness("plan", "games.yaml", "--json"))
    assert plan["changed_versions"] == {}
    folder = tmp_path / "runs" / f"{plan['protocol']}-{plan['key'][:12]}"
    folder.mkdir(parents=True)
    packages = {"pluggy": version("pluggy"), "numpy": "0.1", "long-gone": "2.0"}
    (folder / "provenance.json").write_text(json.dumps({"packages": packages}))
    changed = told(harness("plan", "games.yaml", "--json"))["changed_versions"]
    assert changed == {"numpy": ["0.1", version("numpy")], "long-gone": ["2.0", None]}
    shown = harness("plan", "games.yaml").stdout
    assert f"recorded with numpy 0.1, now {version('numpy')}" in shown
    assert "long-gone 2.0, now not installed" in shown
    assert "pluggy" not in shown


def test_seeds_and_methods_are_chosen(harness):
    plan = told(harness("plan", "games.yaml", "--json", "--seeds", "0,1", "--methods", "mixed, undone"))
    assert [(method["name"], method["seed"]) for method in plan["methods"]] == [
        ("mixed", 0),
        ("undone", 0),
        ("mixed", 1),
        ("undone", 1),
    ]
    shown = harness("plan", "games.yaml", "--seeds", "0,1", "--methods", "mixed").stdout
    assert "= mixed seed 1" in shown


def test_choices_that_cannot_be_are_usage_errors(harness):
    for arguments, said in (
        (("--methods", "mixd"), "did you mean mixed"),
        (("--methods", ","), "no method is chosen"),
        (("--seeds", "0,x"), "'x' is not a seed"),
        (("--seeds", "-1"), "'-1' is not a seed"),
        (("--seeds", "0,0"), "seeds are 0, 0"),
        (("--seeds", ""), "none"),
    ):
        error = harness("plan", "games.yaml", *arguments).exception
        assert isinstance(error, UsageError)
        assert said in str(error)


def test_lists_with_commas():
    assert seeds_from(None) is None
    assert seeds_from("0, 1,2") == (0, 1, 2)
    assert methods_from(None) is None
    assert methods_from(" b,a,b ") == ("b", "a")


def test_help_breaks_its_lines_where_the_terminal_does(monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 300)
    shown = CliRunner().invoke(app, ["plan", "--help"]).stdout
    assert "are estimated from the configs and the model's config.json; nothing is downloaded." in shown


def test_slots_tell_the_makespan_the_longest_chain_and_the_hours_of_each_method(tmp_path):
    def printed(*arguments):
        return CliRunner().invoke(app, ["plan", "lab", "-o", str(tmp_path), *arguments]).stdout

    told = json.loads(printed("--slots", "2", "--json"))["schedule"]
    alone = json.loads(printed("--slots", "1", "--json"))["schedule"]
    assert told["critical_length"] <= told["makespan"] < alone["makespan"] == pytest.approx(alone["work"])
    text = printed("--slots", "2")
    assert "2 results at a time: about" in text
    assert " → " in text.split("the longest chain:")[1]
    assert "hours per method, including shared steps: sequential" in text
