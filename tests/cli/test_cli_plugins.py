"""`harness plugins` and `harness doctor`: output for people and scripts."""

import json
import os
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from harness import Config, Domain, DomainSpec, PluginError, Reward, RewardResult, RewardSpec, UsageError, hookimpl
from harness.cli import app, doctor, plugins
from harness.plugin.registry import Registry


class BoardConfig(Config):
    pieces: int = Field(default=5, ge=2, description="pieces on the board")
    opening: str
    sides: list[str] | None = None


@hookimpl
def harness_domains():
    yield DomainSpec(name="chess", summary="Mate in two [easy]", reward="mate", load="x:Chess", config=BoardConfig)


@hookimpl
def harness_rewards():
    yield RewardSpec(name="chess", summary="Mated", load="x:Mate", needs=frozenset({"gpu", "network"}), cite="Me 2020")


CHESS = SimpleNamespace(harness_domains=harness_domains, harness_rewards=harness_rewards)
BROKEN = SimpleNamespace(harness_domain=harness_domains)


def command_line(registry: Registry):
    """Returns a function that runs `harness` with the plugins of `registry`."""
    small = typer.Typer()

    @small.callback()
    def options(context: typer.Context) -> None:
        from harness.cli.session import Session

        context.obj = Session()
        context.obj.__dict__["registry"] = registry

    plugins.register(small)
    doctor.register(small)
    return lambda *arguments: CliRunner().invoke(small, arguments)


@pytest.fixture
def invoke():
    """Returns a function that runs `harness` with a chess plugin and a broken one."""
    return command_line(Registry.of([("harness-chess", CHESS), ("harness-broken", BROKEN)]))


def test_list_shows_offers_and_apart_the_failed(invoke):
    result = invoke("plugins", "list")
    assert result.exit_code == 0
    offers, failed = result.stdout.split("failed harness-broken 0")
    assert "Mate in two [easy]" in offers
    assert "gpu, network" in offers
    assert "did you mean harness_domains?" in failed


def test_list_as_json_is_complete(invoke):
    listing = json.loads(invoke("plugins", "list", "--json").stdout)
    assert [(offer["kind"], offer["name"]) for offer in listing["plugins"]] == [
        ("domain", "chess"),
        ("reward", "chess"),
    ]
    assert listing["plugins"][1]["needs"] == ["gpu", "network"]
    [failed] = listing["failed"]
    assert failed["distribution"] == "harness-broken"
    assert set(failed) == {"distribution", "version", "entry_point", "error", "hint"}


def test_list_of_one_kind(invoke):
    listing = json.loads(invoke("plugins", "list", "--json", "--kind", "reward").stdout)
    assert [offer["kind"] for offer in listing["plugins"]] == ["reward"]


def test_an_unknown_kind_gets_its_near_match(invoke):
    error = invoke("plugins", "list", "--kind", "rewards").exception
    assert isinstance(error, UsageError)
    assert "did you mean reward?" in error.hint


def test_show_tells_the_keys_of_the_config(invoke):
    result = invoke("plugins", "show", "chess", "--kind", "domain")
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line and not line.startswith(" ")}
    assert "integer ≥ 2" in rows["pieces"]
    assert "pieces on the board" in rows["pieces"]
    assert "required" in rows["opening"]
    assert "list of string or null" in rows["sides"]


def test_show_as_json_gives_all_of_a_name(invoke):
    domain, reward = json.loads(invoke("plugins", "show", "chess", "--json").stdout)
    assert domain["reward"] == "mate"
    assert domain["config"]["properties"]["pieces"]["default"] == 5
    assert (reward["cite"], reward["needs"]) == ("Me 2020", ["gpu", "network"])


@pytest.mark.parametrize("kind", [(), ("--kind", "domain")])
def test_show_of_an_unknown_name_gets_its_near_match(invoke, kind):
    error = invoke("plugins", "show", "ches", *kind).exception
    assert isinstance(error, PluginError)
    assert "did you mean chess" in error.hint


class Counted(Reward):
    def __init__(self, config) -> None:
        pass

    def score(self, batch):
        return [RewardResult.ok(float(len(completion))) for completion in batch.completions]


class Forgetful(Counted):
    def score(self, batch):
        return []


def test_check_tells_kept_from_broken_contracts():
    @hookimpl
    def harness_rewards():
        yield RewardSpec(name="counted", summary="Counted", load=Counted)
        yield RewardSpec(name="forgetful", summary="Forgetful", load=Forgetful)

    invoke = command_line(Registry.of([("rewards", SimpleNamespace(harness_rewards=harness_rewards))]))
    kept = invoke("plugins", "check", "counted")
    assert (kept.exit_code, kept.stdout.split()[:2]) == (0, ["kept", "reward"])
    broken = invoke("plugins", "check", "rewards/forgetful")
    assert broken.exit_code == 3
    assert "0 results for" in broken.stderr
    wrong = invoke("plugins", "check", "counted", "--config", "[1]")
    assert isinstance(wrong.exception, UsageError)
    unknown = invoke("plugins", "check", "counted", "--config", '{"depth": 1}')
    assert unknown.exit_code == 2
    assert "could not be checked: reward 'counted': the config is invalid: depth" in unknown.stderr


class Answers(Reward):
    """1 for the row's answer in the column `column`; judges no other row."""

    column = "answer"

    def __init__(self, config):
        pass

    def unjudgeable(self, prompts, rows):
        return [None if self.column in row else f"no {self.column}" for row in rows]

    def score(self, batch):
        rows = zip(batch.completions, batch.rows, strict=True)
        return [RewardResult.ok(text == row[self.column]) for text, row in rows]


class Elsewhere(Domain):
    def __init__(self, config):
        pass

    def fingerprint(self):
        return "elsewhere"

    def training_data(self, seed):
        raise UsageError("the hub cannot be reached")

    def evaluation_tasks(self):
        raise UsageError("the hub cannot be reached")


def test_check_does_not_call_broken_what_it_has_no_data_for():
    @hookimpl
    def harness_domains():
        yield DomainSpec(name="far", summary="Elsewhere", reward="answers", load=Elsewhere)
        yield DomainSpec(name="odd", summary="Elsewhere", reward="tests", load=Elsewhere)

    @hookimpl
    def harness_rewards():
        yield RewardSpec(name="answers", summary="Answers", load=Answers)
        yield RewardSpec(name="tests", summary="Tests", load=type("Tests", (Answers,), {"column": "tests"}))

    plugin = SimpleNamespace(harness_domains=harness_domains, harness_rewards=harness_rewards)
    invoke = command_line(Registry.of([("far", plugin)]))
    made_up_rows = invoke("plugins", "check", "answers")
    assert (made_up_rows.exit_code, made_up_rows.stdout) == (0, "kept    reward far/answers\n")
    for name in ("tests", "far"):
        unchecked = invoke("plugins", "check", name)
        assert unchecked.exit_code == 2
        assert f"far/{name}: could not be checked: the hub cannot be reached" in unchecked.stderr


def test_new_writes_a_plugin_whose_own_test_passes(invoke, tmp_path):
    assert invoke("plugins", "new", "queen-end", "--into", str(tmp_path)).exit_code == 0
    project = tmp_path / "harness-queen-end"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)]
    environment = os.environ | {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=project)
    assert "2 passed" in done.stdout, done.stdout
    entry_points = tomllib.loads((project / "pyproject.toml").read_text())["project"]["entry-points"]
    assert entry_points == {"harness.plugins": {"queen-end": "harness_queen_end"}}


@pytest.mark.parametrize("name", ["Chess", "chess/go", "-", "chess_go"])
def test_new_refuses_what_cannot_name_a_distribution(invoke, tmp_path, name):
    error = invoke("plugins", "new", "--into", str(tmp_path), "--", name).exception
    assert isinstance(error, UsageError)
    assert list(tmp_path.iterdir()) == []


def test_new_leaves_what_is_there_alone(invoke, tmp_path):
    (tmp_path / "harness-chess").mkdir()
    assert isinstance(invoke("plugins", "new", "chess", "--into", str(tmp_path)).exception, UsageError)
    assert list((tmp_path / "harness-chess").iterdir()) == []


def test_doctor_exits_with_three_when_a_plugin_failed(invoke, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "not" / "yet"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "secret")
    result = invoke("doctor", "--json")
    assert result.exit_code == 3
    assert "secret" not in result.stdout
    findings = json.loads(result.stdout)
    assert findings["plugins"]["failed"][0]["distribution"] == "harness-broken"
    assert findings["environment"]["HARNESS_RUNS"] == findings["runs"]["folder"] == str(tmp_path / "not" / "yet")
    assert findings["runs"]["free_bytes"] > 0
    assert "HF_HUB_OFFLINE" in findings["offline"]
    assert {"pluggy", "torch"} <= {library["name"] for library in findings["libraries"]}


@pytest.mark.parametrize(("version", "fits"), [("0.1.0", False), ("0.25.1", True), (None, False)])
def test_doctor_says_whether_the_installed_vllm_is_one_that_trl_takes(invoke, monkeypatch, tmp_path, version, fits):
    if version is not None:
        folder = tmp_path / f"vllm-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
        monkeypatch.syspath_prepend(tmp_path)
    found = json.loads(invoke("doctor", "--json").stdout)["generation"]
    assert (found["vllm"], found["fits"]) == (version, fits)
    assert ">=" in found["wanted"]
    assert (f"vllm {version or 'not installed'}; " in invoke("doctor").stdout) is not fits


def test_doctor_says_which_sandboxes_work(invoke, monkeypatch):
    monkeypatch.setattr("harness.domains.sandbox.bubblewrap.shutil.which", lambda program: None)
    found = json.loads(invoke("doctor", "--json").stdout)["sandboxes"]
    assert set(found) == {"bubblewrap", "monty"}
    assert "bwrap" in found["bubblewrap"]
    assert "bubblewrap: no sandbox" in invoke("doctor").stdout


def test_doctor_for_people_says_what_failed(invoke):
    result = invoke("doctor")
    assert "harness-broken 0" in result.stdout
    assert "iB free" in result.stdout


def test_listing_imports_no_heavy_library():
    heavy = {"torch", "transformers", "trl", "datasets", "lm_eval", "polars", "great_tables", "numpy"}
    script = f"""
import sys
from harness.cli import app
app(["plugins", "list", "--json"], standalone_mode=False)
sys.stderr.write(",".join(sorted({heavy!r} & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout)["plugins"]


def test_the_commands_are_part_of_the_command_line():
    assert CliRunner().invoke(app, ["plugins", "show", "--help"]).exit_code == 0
    assert CliRunner().invoke(app, ["doctor", "--help"]).exit_code == 0
