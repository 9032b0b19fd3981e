from harness_NAME.model import RandomLlama, RandomLlamaConfig


def weights(**config):
    return (RandomLlama(RandomLlamaConfig(**config)).folder() / "model.safetensors").read_bytes()


def test_the_seed_draws_the_weights_and_they_are_built_once(tmp_path):
    first = weights(seed=1)
    assert first != weights(seed=2)
    assert first == weights(seed=1)
    assert len(list((tmp_path / "cache" / "harness-NAME").iterdir())) == 2
