"""On-policy distillation on tiny models: toward whom, from whom, and what is refused."""

import json
import shutil
from dataclasses import replace

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file
from training_folder import Killed, training_in

from harness import CheckpointError, Expert, LineageEntry, StepFailed, TrainingPlace
from harness.testing.tiny_world import nudged_checkpoint, tiny_domains, tiny_lineage
from harness_algorithms.distillation.algorithm import Distillation
from harness_algorithms.distillation.config import DistillationConfig

SETTINGS = {"steps": 12, "prompts_per_step": 4, "generations": 4, "learning_rate": 2e-2, "save_every": 5}


def far_lineage(folder):
    """A lineage whose steps differ much more than those of the tiny one."""
    base = tiny_lineage(folder)[0].folder
    one = nudged_checkpoint(base, folder / "far-one", seed=1, size=0.5)
    two = nudged_checkpoint(one, folder / "far-two", seed=2, size=0.5)
    entries = [("base", (), base), ("one", ("one",), one), ("two", ("two",), two)]
    return [
        LineageEntry(step=step, label=label, domains=domains, folder=path)
        for step, (label, domains, path) in enumerate(entries)
    ]


def experts_of(lineage, **domains):
    """Returns the later checkpoints of a lineage as experts of the first; domains: of each, by name."""
    return [
        Expert(name=name, weight=weight, domains=tuple(trained), folder=lineage[index].folder)
        for index, (name, (weight, *trained)) in enumerate(domains.items(), 1)
    ]


def train(folder, lineage, *, names=("one",), kill_at=None, experts=(), **settings):
    """Returns the result, the metrics by step, and the weights."""
    domains = [tiny_domains()[name] for name in names]
    context = training_in(folder, lineage[-1].folder, domains, kill_at=kill_at, lineage=lineage, experts=experts)
    result = Distillation(DistillationConfig(**SETTINGS | settings)).train(context)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return result, rows, load_file(folder / "output" / "model.safetensors")


@pytest.fixture
def lineage(tmp_path):
    return far_lineage(tmp_path / "lineage")


@pytest.mark.parametrize("divergence", ["vocabulary", "sampled"])
def test_the_student_comes_nearer_to_its_teacher(tmp_path, lineage, divergence):
    result, rows, _ = train(tmp_path / "run", lineage, divergence=divergence)
    kl = [row["divergence"] for row in rows]
    assert len(kl) == 12 and kl[0] > 0.05
    assert sum(kl[-3:]) < 0.9 * sum(kl[:3])
    assert result.report["teachers"] == {"one": 1}
    assert result.cost.completions == 12 * 16


def test_a_student_that_is_its_own_teacher_has_nothing_to_learn(tmp_path, lineage):
    _, [row], _ = train(tmp_path / "run", lineage, teachers={"one": 2}, steps=1)
    assert abs(row["divergence"]) < 1e-6 and row["grad_norm"] < 1e-4


def test_each_domain_has_its_own_teacher_and_divergence(tmp_path, lineage):
    result, rows, _ = train(tmp_path / "run", lineage, names=("one", "two"), steps=2)
    assert result.report["teachers"] == {"one": 1, "two": 2}
    assert rows[0]["divergence/one"] > 0.05
    assert abs(rows[0]["divergence/two"]) < 1e-4


def test_a_larger_budget_gives_a_domain_more_of_the_loss(tmp_path, lineage):
    losses = {}
    for share in (1.0, 9.0):
        _, rows, _ = train(tmp_path / str(share), lineage, names=("one", "two"), steps=1, budgets={"one": share})
        losses[share] = rows[0]["loss"] / rows[0]["divergence/one"]
    assert losses[9.0] == pytest.approx(1.8 * losses[1.0], rel=1e-3)


def test_extrapolation_goes_beyond_the_teacher(tmp_path, lineage):
    at_one = train(tmp_path / "1", lineage, steps=1)[1][0]["divergence"]
    beyond = train(tmp_path / "2", lineage, steps=1, extrapolation=2.0)[1][0]["divergence"]
    assert beyond != at_one


def test_an_adapter_is_trained_toward_the_teacher(tmp_path, lineage):
    _, rows, _ = train(tmp_path / "run", lineage, lora={"rank": 4})
    assert rows[-1]["divergence"] < rows[0]["divergence"]


def test_a_killed_distillation_goes_on_to_the_same_weights(tmp_path, lineage):
    _, _, whole = train(tmp_path / "whole", lineage, names=("one", "two"))
    with pytest.raises(Killed):
        train(tmp_path / "killed", lineage, names=("one", "two"), kill_at=7)
    _, _, resumed = train(tmp_path / "killed", lineage, names=("one", "two"))
    assert all(whole[name].equal(resumed[name]) for name in whole)


def test_a_domain_that_was_never_trained_has_no_teacher(tmp_path, lineage):
    with pytest.raises(StepFailed, match="two has no teacher"):
        train(tmp_path / "run", lineage[:2], names=("two",))


def test_a_teacher_that_is_no_step_is_refused(tmp_path, lineage):
    with pytest.raises(StepFailed, match="the teacher of one is step 7"):
        train(tmp_path / "run", lineage, teachers={"one": 7})


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ({"teachers": {"three": 1}}, "teachers.three", "three is no domain that this step trains"),
        ({"budgets": {"four": 1}}, "budgets.four", "four is no domain that this step trains"),
        ({"teachers": {"two": 2}}, "teachers.two", "there is no step 2 before this one"),
        ({}, "teachers", "two has no teacher"),
        ({"teachers": {"two": 0}}, None, ""),
        ({"teachers": {"two": "other"}}, None, ""),
    ],
)
def test_teachers_that_cannot_be_are_found_in_the_protocol(settings, key, message):
    place = TrainingPlace(labels=["base", "one"], domains=["one", "two"], peaks={"one": 1}, experts={})
    found = DistillationConfig(**SETTINGS, **settings).fault_in_training(place)
    assert found is None if key is None else (found[0] == key and message in found[1])


def test_a_teacher_with_another_vocabulary_is_refused(tmp_path, lineage):
    other = tmp_path / "other"
    other.mkdir()
    for path in lineage[1].folder.iterdir():
        content = path.read_bytes()
        (other / path.name).write_bytes(
            content.replace(b'"a"', b'"\xc3\xa4"') if path.name == "tokenizer.json" else content
        )
    changed = [lineage[0], replace(lineage[1], folder=other), lineage[2]]
    with pytest.raises(CheckpointError, match="tokenizer"):
        train(tmp_path / "run", changed)


def test_a_kl_to_the_start_is_refused():
    with pytest.raises(ValidationError, match="beta has no effect"):
        DistillationConfig(beta=0.1)


def test_each_expert_of_a_merge_teaches_its_own_domains(tmp_path, lineage):
    experts = experts_of(lineage, first=(1.0, "one"), second=(1.0, "two"))
    result, rows, _ = train(tmp_path / "run", lineage[:1], names=("one", "two"), experts=experts)
    assert result.report["teachers"] == {"one": "first", "two": "second"}
    assert sum(row["divergence"] for row in rows[-3:]) < 0.9 * sum(row["divergence"] for row in rows[:3])
    swapped = experts_of(lineage, first=(1.0, "two"), second=(1.0, "one"))
    _, [other], _ = train(tmp_path / "swapped", lineage[:1], names=("one", "two"), experts=swapped, steps=1)
    assert other["divergence/one"] != rows[0]["divergence/one"]


def test_the_weight_of_an_expert_is_its_share_of_the_loss(tmp_path, lineage):
    losses = {}
    for name, weight, budgets in (("even", 1.0, {}), ("more", 9.0, {}), ("less", 9.0, {"one": 1.0})):
        experts = experts_of(lineage, first=(weight, "one"), second=(1.0, "two"))
        options = {"names": ("one", "two"), "experts": experts, "steps": 1, "budgets": budgets}
        losses[name] = train(tmp_path / name, lineage[:1], **options)[1][0]["loss"]
    assert losses["even"] == losses["less"] != losses["more"]


def test_a_named_expert_teaches_in_the_place_of_the_last_training(tmp_path, lineage):
    experts = experts_of(lineage, other=(1.0, "one"), further=(1.0, "one"))
    result, [row], _ = train(tmp_path / "run", lineage, experts=experts, teachers={"one": "further"}, steps=1)
    assert result.report["teachers"] == {"one": "further"}
    assert abs(row["divergence"]) < 1e-6  # it is the student itself


def test_two_experts_of_one_domain_are_refused_unless_one_is_named():
    def fault(experts, **settings):
        place = TrainingPlace(labels=["base"], domains=["one", "two"], peaks={}, experts=experts)
        return DistillationConfig(**SETTINGS, **settings).fault_in_training(place)

    both = {"first": ["one", "two"], "second": ["two"]}
    assert fault({"first": ["one"], "second": ["two"]}) is None
    assert fault(both)[1] == "two has several teachers: first, second were trained on it"
    assert fault(both, teachers={"two": "second"}) is None


def test_a_teacher_with_more_tokens_is_refused(tmp_path, lineage):
    other = tmp_path / "other"
    shutil.copytree(lineage[1].folder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] + 8}))
    with pytest.raises(CheckpointError, match="a vocabulary of"):
        train(tmp_path / "run", [lineage[0], replace(lineage[1], folder=other), lineage[2]])


@pytest.mark.parametrize("named", [-1, 1.0, True, None])
def test_a_teacher_that_is_neither_a_step_nor_a_method_is_refused(named):
    with pytest.raises(ValidationError, match="a step, 0 for the base, or the name of a method") as caught:
        DistillationConfig(teachers={"one": named})
    assert caught.value.error_count() == 1
