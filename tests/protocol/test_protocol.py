"""Valid protocols: their resolved content, and which file a name refers to."""

from __future__ import annotations

import pytest
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld, small_world

from harness import PluginError, RewardSpec, UsageError, hookimpl
from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import RecoverStep, TrainStep, find_protocol, load_protocol
from harness.protocol.evaluation_settings import EvaluationSettings


@pytest.fixture
def load(tmp_path):
    def loaded(text=PROTOCOL, registry=None, **chosen):
        path = tmp_path / "games.yaml"
        path.write_text(text)
        return load_protocol(path, registry or small_world(), **chosen)

    return loaded


def test_a_protocol_resolves_to_plugins_with_their_defaults(load):
    protocol = load()
    assert protocol.name == "games"
    assert protocol.model.identity == f"{DISTRIBUTION}:tiny@0"
    assert protocol.model.config == {"size": 1}
    assert list(protocol.domains) == ["chess", "go", "shogi"]
    assert protocol.domains["go"].plugin.config == {"items": 10, "folder": None, "topics": []}
    assert protocol.domains["go"].reward.identity == f"{DISTRIBUTION}:win@0"
    assert protocol.settings == EvaluationSettings(limit=512, batch_size=256, seed=0)
    assert list(protocol.methods) == ["sequential", "again", "undone", "mixed"]
    assert protocol.text == PROTOCOL


def test_a_bare_name_trains_with_the_defaults(load):
    first = load().methods["sequential"][0]
    assert isinstance(first, TrainStep)
    assert first.domains == {"chess": 1.0}
    assert first.algorithm.config == {"steps": 60, "learning_rate": 6e-4, "prompts_per_step": 4, "generations": 2}


def test_a_steps_own_keys_go_over_the_defaults(load):
    (mixed,) = load().methods["mixed"]
    assert mixed.algorithm.config["steps"] == 180
    assert mixed.algorithm.config["learning_rate"] == 6e-4
    assert mixed.label == "chess+go+shogi"


def test_domains_of_a_mix_stand_by_name_whatever_the_order_written(load):
    mixed = "[{train: [chess, go, shogi], steps: 180}]"
    other = load(PROTOCOL.replace(mixed, "[{train: {shogi: 1, go: 2.5, chess: 1}}]")).methods["mixed"][0]
    assert list(other.domains.items()) == [("chess", 1.0), ("go", 2.5), ("shogi", 1.0)]


def test_another_algorithm_takes_only_the_defaults_that_it_knows(load):
    text = PROTOCOL.replace("mixed: [{train: [chess, go, shogi], steps: 180}]", "mixed: [{train: go, with: plain}]")
    (step,) = load(text).methods["mixed"]
    assert step.algorithm.name == "plain"
    assert step.algorithm.config == {"steps": 60, "momentum": 0.9}
    assert step.label == "go (plain)"


def test_a_recovery_has_its_target_and_the_targets_peak(load):
    recover = load().methods["undone"][-1]
    assert isinstance(recover, RecoverStep)
    assert (recover.targets, recover.peaks["go"], recover.training) == (("go",), 2, None)
    assert recover.recovery.config == {"fraction": 0.1, "score": "fisher"}
    assert recover.label == "recover go (undo)"


def test_a_recovery_that_trains_shares_its_keys_with_an_algorithm(load):
    recovery = "{recover: go, with: repeat, steps: 3}"
    again = load().methods["again"][-1]
    assert again.recovery.config == {"note": ""}
    assert again.training.name == "grpo"
    assert (again.training.config["steps"], again.training.config["learning_rate"]) == (3, 6e-4)
    other = "{recover: go, with: repeat, algorithm: plain, note: x, momentum: 0.5}"
    plain = load(PROTOCOL.replace(recovery, other)).methods["again"][-1]
    assert plain.recovery.config == {"note": "x"}
    assert plain.training.config == {"steps": 60, "momentum": 0.5}


def test_the_peak_is_the_last_training_and_no_recovery(load):
    steps = (
        "[go, chess, {recover: go, with: repeat}, go, shogi, {recover: go, with: repeat}, {recover: go, with: undo}]"
    )
    method = load(PROTOCOL.replace("sequential: [chess, go, shogi]", f"sequential: {steps}")).methods["sequential"]
    assert [step.peaks["go"] for step in method if isinstance(step, RecoverStep)] == [1, 4, 4]


def test_a_reward_may_be_named_or_configured(load):
    text = PROTOCOL.replace("go: {use: go}", "go: {use: go, items: 3, reward: {use: win, scale: 2}}")
    go = load(text).domains["go"]
    assert (go.plugin.config["items"], go.reward.config) == (3, {"scale": 2.0})
    assert load(PROTOCOL.replace("go: {use: go}", "go: {use: go, reward: win}")).domains["go"].reward.name == "win"


def test_a_domain_means_the_reward_of_its_own_distribution(load):
    class Other:
        @hookimpl
        def harness_rewards(self):
            yield RewardSpec(name="win", summary="Another", load=lambda config: None)

    registry = Registry.of([(DISTRIBUTION, SmallWorld()), ("other", Other())])
    assert load(registry=registry).domains["go"].reward.identity == f"{DISTRIBUTION}:win@0"
    with pytest.raises(PluginError, match="offered by"):
        load(PROTOCOL.replace("go: {use: go}", "go: {use: go, reward: win}"), registry)


def test_a_model_without_use_is_a_pretrained_one(load):
    protocol = load(PROTOCOL.replace("{use: tiny}", "{pretrained: somebody/model}"))
    assert protocol.model.name == "pretrained"
    assert protocol.model_label == "somebody/model"


def test_sets_in_a_config_stand_in_one_order_and_paths_are_absolute(load, tmp_path):
    text = PROTOCOL.replace("go: {use: go}", "go: {use: go, topics: [c, a, b], folder: x/y}")
    config = load(text).domains["go"].plugin.config
    assert (config["topics"], config["folder"]) == (["a", "b", "c"], str(tmp_path / "x" / "y"))


def test_code_is_executed_only_where_the_protocol_agrees(load):
    text = PROTOCOL.replace("go: {use: go}", "go: {use: programs}")
    with pytest.raises(UsageError.__base__, match=r"allow: \[executes-code\]"):
        load(text)
    assert load(text + "allow: [executes-code]\n").domains["go"].plugin.needs == {"executes-code"}


def test_seeds_and_methods_can_be_chosen(load):
    protocol = load(seeds=(2, 1), methods=("mixed", "again"))
    assert protocol.seeds == (2, 1)
    assert list(protocol.methods) == ["mixed", "again"]
    with pytest.raises(UsageError, match="did you mean mixed"):
        load(methods=("mixd",))
    with pytest.raises(UsageError, match="seeds"):
        load(seeds=(1, 1))


def test_requirements_that_are_met(load):
    assert load(PROTOCOL + 'requires: ["small_world>=0", small-world]\n').name == "games"


def test_probes_and_their_needs(load):
    assert [probe.name for probe in load(PROTOCOL + "probes: [{use: distance}]\n").probes] == ["distance"]


def test_a_file_wins_over_a_packaged_protocol_and_that_over_a_folder(tmp_path, monkeypatch):
    packaged = tmp_path / "packaged.yaml"
    packaged.write_text(PROTOCOL)
    registry = small_world(packaged)
    monkeypatch.chdir(tmp_path)
    assert find_protocol("games", registry) == packaged
    assert find_protocol(f"{DISTRIBUTION}/games", registry) == packaged
    (tmp_path / "games").mkdir()
    assert find_protocol("games", registry) == packaged
    (tmp_path / "games").rmdir()
    (tmp_path / "games").write_text(PROTOCOL)
    assert find_protocol("games", registry).resolve() == tmp_path / "games"


def test_an_unknown_protocol_names_the_near_match(tmp_path):
    packaged = tmp_path / "packaged.yaml"
    packaged.write_text(PROTOCOL)
    with pytest.raises(UsageError, match="did you mean games"):
        find_protocol("gamse", small_world(packaged))
    with pytest.raises(UsageError, match="folder"):
        find_protocol(str(tmp_path), small_world(packaged))


@pytest.mark.parametrize("section", ["methods", "seeds", "domains"])
def test_a_section_that_is_far_too_long_is_refused_before_it_is_read(tmp_path, section):
    many = {
        "methods": f"methods: {{m: [{'a, ' * 300}a]}}",
        "seeds": f"seeds: [{', '.join(map(str, range(1001)))}]\nmethods: {{m: [a]}}",
        "domains": "domains: {" + ", ".join(f"d{n}: {{use: x}}" for n in range(101)) + "}\nmethods: {m: [a]}",
    }[section]
    path = tmp_path / "long.yaml"
    path.write_text(f"schema: 1\nname: x\nmodel: {{use: y}}\n{many}\n")
    with pytest.raises(ProtocolError) as raised:
        load_protocol(path, Registry.of([]))
    assert any("at most" in problem.message for problem in raised.value.problems)
    assert not any("plugin" in problem.message for problem in raised.value.problems)
