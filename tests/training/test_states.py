"""A training writes the models within it where it is asked to, and ends with the same weights as one that is not."""

import pytest
from training_folder import Killed, training_in

from harness.testing.tiny_world import tiny_checkpoint, tiny_domains
from harness.training import PolicyGradientConfig, train_with_trl
from harness.weights.adapter import restore
from harness.weights.model_folder import hash_checkpoint

LORA = {"rank": 2, "target_modules": ["q_proj", "v_proj"], "dropout": 0.1}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("start") / "model")


def train(start, folder, steps=(), *, whole=False, kill_at=None, **settings):
    """Trains the tiny model for four steps; returns its output and the folders of the states after `steps`."""
    states = {step: folder / "states" / str(step) for step in steps}
    domains = list(tiny_domains().values())
    context = training_in(folder, start, domains, kill_at=kill_at, whole=whole, states=states)
    config = PolicyGradientConfig(
        steps=4,
        learning_rate=1e-2,
        prompts_per_step=2,
        generations=2,
        max_completion_length=4,
        save_every=2,
        **settings,
    )
    train_with_trl(context, config)
    return folder / "output", states


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lora": LORA | {"output": "full"}},
        {"lora": LORA, "whole": True},
        {"ema": {"decay": 0.5, "use": "final"}},  # a state is what the training would leave: the average
    ],
)
def test_states_do_not_change_the_training_and_the_last_is_its_end(start, tmp_path, settings):
    plain, none = train(start, tmp_path / "plain", **settings)
    asked, states = train(start, tmp_path / "asked", (1, 3, 4), **settings)
    assert hash_checkpoint(plain) == hash_checkpoint(asked) and not none
    if "lora" in settings and "whole" not in settings:  # a state is an adapter, which the store restores
        for step, folder in states.items():
            (tmp_path / f"whole-{step}").mkdir()
            restore(start, folder, tmp_path / f"whole-{step}")
        states = {step: tmp_path / f"whole-{step}" for step in states}
    marks = [hash_checkpoint(folder) for folder in states.values()]
    assert marks[-1] == hash_checkpoint(asked)
    assert len({*marks, hash_checkpoint(start)}) == 4
    assert (states[1] / "tokenizer_config.json").is_file()


def test_a_resumed_training_writes_the_same_states(start, tmp_path):
    _, states = train(start, tmp_path / "whole", (1, 2, 3))
    with pytest.raises(Killed):
        train(start, tmp_path / "killed", (1, 2, 3), kill_at=3)
    assert (tmp_path / "killed" / "states" / "3").is_dir()
    _, again = train(start, tmp_path / "killed", (1, 2, 3))
    assert [hash_checkpoint(folder) for folder in again.values()] == [hash_checkpoint(f) for f in states.values()]
    assert sorted(path.name for path in (tmp_path / "killed" / "states").iterdir()) == ["1", "2", "3"]
