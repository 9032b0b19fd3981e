"""The contract of `harness_models`."""

from itertools import count

import pytest
from shipped_offers import offers

from harness import BaseModel, CheckpointError, ModelSpec, PluginError


class Local(BaseModel):
    def __init__(self, folder):
        self.path = folder

    def fingerprint(self):
        return "local/1"

    def folder(self):
        return self.path


class Moving(Local):
    numbers = count()

    def fingerprint(self):
        return str(next(self.numbers))


def spec(load) -> ModelSpec:
    return ModelSpec(name="small", summary="A small model", load=load)


@offers("model")
def test_shipped_models_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_model_in_a_folder_keeps_it(check_small, local_model):
    check_small(spec(lambda config: Local(local_model)))


def test_a_fingerprint_that_moves_breaks_it(check_small, local_model):
    with pytest.raises(PluginError, match="fingerprint changes"):
        check_small(spec(lambda config: Moving(local_model)))


def test_a_folder_without_weights_or_tokenizer_breaks_it(check_small, local_model, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(CheckpointError):
        check_small(spec(lambda config: Local(bare)))
    for name in ("config.json", "model.safetensors"):
        (bare / name).write_bytes((local_model / name).read_bytes())
    with pytest.raises(CheckpointError, match="tokenizer"):
        check_small(spec(lambda config: Local(bare)))
