"""Domains of reasoning-gym: rejected configs, random draws, and reproducibility."""

import subprocess
import sys
from importlib import import_module

import pytest
from pydantic import ValidationError

from harness_domains.reasoning_gym import catalogue
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.domain import ReasoningGymDomain

reasoning_gym = pytest.importorskip("reasoning_gym")


def domain(task="leg_counting", **config):
    return ReasoningGymDomain(ReasoningGymConfig(task=task, **{"prompts": 12, "test_items": 12} | config))


def test_items(made):
    """The test items as lm-eval gets them."""
    task_module = import_module("harness_domains.reasoning_gym.lm_eval_task")
    return task_module.items(**made.task_metadata())["test"].to_list()


test_items.__test__ = False


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"task": "leg_countin"}, "has no task 'leg_countin'; did you mean leg_counting"),
        ({"task": "no such thing"}, "it has ab, acre"),
        ({"task": "composite"}, "refused: it only mixes other tasks"),
        ({"task": "codeio"}, "refused: it makes its items by running programs"),
        ({"config": {"max_animal": 3}}, "no setting 'max_animal'; did you mean max_animals"),
        ({"config": {"min_animals": 9, "max_animals": 3}}, "max_animals must be >= min_animals"),
        ({"config": {"max_animals": "many"}}, "does not accept these settings"),
        ({"config": {"seed": 1}}, "'seed' is set by the domain's keys"),
        ({"config": {"size": 1}}, "'size' is set by the domain's keys"),
    ],
)
def test_a_wrong_config_is_refused_when_it_is_read(config, message):
    with pytest.raises(ValidationError) as raised:
        domain(**config)
    assert message in str(raised.value)


@pytest.mark.parametrize("task", sorted(catalogue.REFUSED))
def test_refused_tasks_are_tasks(task):
    assert task in reasoning_gym.factory.DATASETS
    assert task not in catalogue.task_names()


def test_the_flaws_that_tasks_are_refused_for_are_still_there():
    halting = reasoning_gym.create_dataset("game_of_life_halting", size=1, seed=0)
    assert {halting.score_answer(answer, halting[0]) for answer in ("True", "False", "no idea")} == {1.0}
    make_24 = reasoning_gym.create_dataset("puzzle24", size=8, seed=0)
    assert all(make_24.score_answer("6 * 4 * 1 * 1", item) == 1.0 for item in make_24)


def test_without_the_package_a_config_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(catalogue, "import_module", missing)
    with pytest.raises(ValidationError, match=r"pip install 'mdrl-harness\[reasoning-gym\]'"):
        domain()


def test_listing_and_the_offers_themselves_do_not_import_the_package():
    code = (
        "import sys\n"
        "sys.modules['reasoning_gym'] = None\n"  # an import of it raises
        "from harness.plugin.registry import Registry\n"
        "registry = Registry.discover(only=['mdrl-harness'])\n"
        "assert registry.failures == []\n"
        "for kind, name in (('domain', 'reasoning-gym'), ('reward', 'reasoning-gym-verifier')):\n"
        "    offer = registry.find(kind, name)\n"
        "    offer.config_schema()\n"
        "    offer.implementation()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_fingerprint_changes_with_all_that_changes_the_items(monkeypatch):
    made = [
        domain(),
        domain(task="gcd"),
        domain(config={"max_animals": 4}),
        domain(prompts=13),
        domain(test_items=13),
        domain(test_seed=1),
    ]
    assert len({one.fingerprint() for one in made}) == len(made)
    same = domain(config={"min_animals": 4, "max_animals": 4}), domain(config={"max_animals": 4, "min_animals": 4})
    assert same[0].fingerprint() == same[1].fingerprint()
    before = made[0].fingerprint()
    monkeypatch.setattr("harness_domains.reasoning_gym.domain.package_version", lambda: "9.9")
    assert made[0].fingerprint() != before


def test_training_problems_follow_the_seed_and_test_problems_do_not():
    made = domain()
    first, second = made.training_data(0).to_list(), made.training_data(1).to_list()
    assert first == made.training_data(0).to_list()
    assert not {str(row["prompt"]) for row in first} & {str(row["prompt"]) for row in second}
    assert test_items(made) == test_items(domain(prompts=3))
    assert test_items(made) != test_items(domain(test_seed=1))


def test_no_test_question_is_trained_on_and_none_comes_twice():
    # Few coins have few problems: the two draws meet by chance.
    made = domain(task="coin_flip", config={"max_trials": 4}, prompts=60, test_items=10, format="plain")
    tested = [item["prompt"] for item in test_items(made)]
    trained = [row["prompt"] for row in made.training_data(0).to_list()]
    assert len(set(tested)) == len(tested)
    assert 0 < len(trained) < 60
    assert not set(tested) & set(trained)


def test_where_the_test_leaves_nothing_to_train_on_a_person_is_told():
    made = domain(task="tower_of_hanoi", prompts=1, test_items=200)
    with pytest.raises(Exception, match="no training problems of tower_of_hanoi are left"):
        for seed in range(20):
            made.training_data(seed)


def test_a_chat_prompt_has_the_instruction_as_the_systems_and_a_plain_one_after_the_question():
    [system, user] = domain().training_data(0)[0]["prompt"]
    assert system == {"role": "system", "content": domain().system_prompt}
    assert "<answer>" in system["content"] and "<answer>" not in user["content"]
    plain = domain(format="plain")
    assert plain.system_prompt is None
    assert plain.training_data(0)[0]["prompt"] == f"{user['content']}\n\n{system['content']}"
    silent = domain(instruction="")
    assert silent.training_data(0)[0]["prompt"] == [user]
    assert silent.system_prompt is None
    assert "boxed" in str(domain(answer="boxed").system_prompt)


def test_an_answer_of_several_lines_cannot_be_asked_for_on_the_last_line():
    with pytest.raises(Exception, match="cannot be given as last-line"):
        domain(task="mini_sudoku", answer="last-line").training_data(0)


@pytest.mark.parametrize("task", ["ransom_note", "isomorphic_strings", "word_ladder", "list_functions", "pool_matrix"])
def test_items_hang_neither_on_the_order_of_sets_nor_on_global_generators(task):
    code = (
        "import random, sys\n"
        "from harness_domains.reasoning_gym.config import ReasoningGymConfig\n"
        "from harness_domains.reasoning_gym.domain import ReasoningGymDomain\n"
        "random.seed(sys.argv[1])\n"
        f"config = ReasoningGymConfig(task={task!r}, prompts=8, test_items=2)\n"
        "before = random.getstate()\n"
        "print(ReasoningGymDomain(config).training_data(0).to_list())\n"
        "assert random.getstate() == before\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, seed], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
