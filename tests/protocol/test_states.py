"""`evaluate.every` in a protocol: what is refused before anything is computed."""

from dataclasses import replace

import pytest
from small_world import PROTOCOL, SmallWorld, small_world

from harness import hookimpl
from harness.errors import ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

PLAIN = "{limit: 512, batch_size: 256}"


class World(SmallWorld):
    """The small world with algorithms that write states."""

    @hookimpl
    def harness_algorithms(self):
        yield from (replace(spec, states=spec.name != "plain") for spec in super().harness_algorithms())


def loaded(folder, every, text=PROTOCOL):
    assert PLAIN in text
    (folder / "p.yaml").write_text(text.replace(PLAIN, f"{{every: {every}}}"))
    return load_protocol(folder / "p.yaml", Registry.of([("small-world", World())]))


def test_it_is_read(tmp_path):
    assert loaded(tmp_path, 20).every == 20
    assert loaded(tmp_path, "null").every is None


@pytest.mark.parametrize(
    ("every", "words"),
    [
        ("0", "evaluate.every: "),
        ("often", "evaluate.every: "),
        ("180", "evaluate.every: no training has more than 180 optimizer steps"),
    ],
)
def test_a_fault_is_told_with_its_key(tmp_path, every, words):
    with pytest.raises(ProtocolError) as error:
        loaded(tmp_path, every)
    assert words in str(error.value) and str(error.value).count("evaluate") == 1


def test_an_algorithm_without_states_is_refused(tmp_path):
    (tmp_path / "p.yaml").write_text(PROTOCOL.replace(PLAIN, "{every: 2}"))
    with pytest.raises(ProtocolError, match="the algorithm grpo does not write the states within its training"):
        load_protocol(tmp_path / "p.yaml", small_world())
