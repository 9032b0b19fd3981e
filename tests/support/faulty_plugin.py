"""An algorithm that nudges all weights and then leaves a model that is bad in a way of one's choice."""

import json
from typing import Literal

from harness import Algorithm, AlgorithmSpec, Config, hookimpl

NAME = "model.layers.1.mlp.up_proj.weight"


class FaultyConfig(Config):
    fault: Literal["", "nan", "shape", "missing", "tied", "tokenizer", "no-tokenizer", "dtype", "cut", "config"] = ""
    steps: int = 1
    learning_rate: float = 1e-4
    prompts_per_step: int = 32
    generations: int = 8


class Faulty(Algorithm):
    def __init__(self, config):
        self.config = config

    def train(self, context):
        from harness.testing.tiny_world import tiny_training

        result = tiny_training(context.output, context.checkpoint, seed=context.seed)
        spoil(context.output, self.config.fault)
        return result


def spoil(folder, fault):
    """Makes the model in `folder` bad."""
    if fault == "cut":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    elif fault == "config":
        (folder / "config.json").write_text("{")
    elif fault == "no-tokenizer":
        for path in folder.glob("tokenizer*"):
            path.unlink()
    elif fault == "tokenizer":
        path = folder / "tokenizer.json"
        tokenizer = json.loads(path.read_text())
        words = tokenizer["model"]["vocab"]
        words["a"], words["b"] = words["b"], words["a"]
        path.write_text(json.dumps(tokenizer))
    elif fault:
        spoil_weights(folder, fault)


def spoil_weights(folder, fault):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    if fault == "nan":
        tensors[NAME][3, 2] = float("nan")
    elif fault == "shape":
        tensors[NAME] = tensors[NAME][:-1].clone()
    elif fault == "missing":
        del tensors[NAME]
    elif fault == "dtype":
        tensors = {name: tensor.bfloat16() for name, tensor in tensors.items()}
    elif fault == "tied":
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@hookimpl
def harness_algorithms():
    yield AlgorithmSpec(name="faulty", summary="Leaves a bad model", load=Faulty, config=FaultyConfig)
