"""Chunks processed by several threads: the same result for any number, and the first error stops all."""

import json
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness import CheckpointError
from harness.weights import Scores, Stream, WeightFolder, over_chunks, patched_copy, select_highest


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def folder_of(path, tensors):
    path.mkdir()
    (path / "config.json").write_text("{}")
    names = sorted(tensors)
    for shard in range(2):
        save_file({name: tensors[name] for name in names[shard::2]}, path / f"m-{shard}.safetensors")
    places = {name: f"m-{index % 2}.safetensors" for index, name in enumerate(names)}
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return WeightFolder(path)


@pytest.fixture
def folder(tmp_path):
    draw = torch.Generator().manual_seed(0)
    shapes = {"a": (30, 17), "b": (5,), "c": (9, 40), "d": (1,)}
    return folder_of(tmp_path / "m", {n: torch.randint(-9, 9, s, generator=draw).float() for n, s in shapes.items()})


@pytest.mark.parametrize("number", [2, 3, 50])
def test_results_come_in_the_order_of_the_chunks(folder, number):
    stream = Stream([folder], folder.names(), chunk=16)
    expected = [(chunk, values.tolist()) for chunk, (values,) in stream]
    torch.set_num_threads(number)
    got = over_chunks(stream, lambda own: lambda chunk: (chunk, own.values(0, chunk).tolist()))
    assert got == expected
    assert torch.get_num_threads() == number


def test_a_file_is_opened_once_for_all_threads(folder, monkeypatch):
    together, opened, original = threading.Barrier(2), [], Path.open

    def counted(self, *args, **kwargs):
        opened.append(self)
        with suppress(threading.BrokenBarrierError):
            together.wait(timeout=0.5)  # passes at once where two threads are here, which they must not be
        return original(self, *args, **kwargs)

    torch.set_num_threads(4)
    stream = Stream([folder], folder.names(), chunk=16)
    expected = [values.tolist() for _, (values,) in stream.again()]
    stream = Stream([folder], folder.names(), chunk=16)
    monkeypatch.setattr(Path, "open", counted)
    assert over_chunks(stream, lambda own: lambda chunk: own.values(0, chunk).tolist()) == expected
    assert sorted(opened) == folder.files


@pytest.mark.parametrize("number", [1, 3])
def test_the_first_fault_ends_all(folder, number):
    torch.set_num_threads(number)
    stream = Stream([folder], folder.names(), chunk=4)
    seen = []

    def work(chunk):
        seen.append(chunk)
        if len(seen) == 7:
            raise CheckpointError("this one")

    with pytest.raises(CheckpointError, match="this one"):
        over_chunks(stream, lambda own: work)
    assert len(seen) < 7 + number  # each of the others may have been at one more
    assert torch.get_num_threads() == number


def test_scores_that_draw_at_random_are_the_same_with_any_number_of_threads(folder):
    def taken(number):
        torch.set_num_threads(number)

        def formula():
            generator = torch.Generator().manual_seed(3)
            return lambda chunk, values, out: out.uniform_(generator=generator)

        scores = Scores(Stream([folder], folder.names(), chunk=16), formula, in_order=True)
        selection = select_highest(scores, 100)
        return [sorted(selection.in_chunk(chunk).indices.tolist()) for chunk in scores.stream.chunks]

    assert taken(1) == taken(4)


@pytest.mark.parametrize("number", [1, 4])
def test_a_tensor_to_be_rewritten_is_written_chunk_by_chunk_and_the_rest_is_copied(folder, tmp_path, number):
    torch.set_num_threads(number)
    stream = Stream([folder], ["a", "c"], chunk=16)
    with patched_copy(folder, tmp_path / "out", rewritten=stream.names) as copy:
        over_chunks(stream, lambda own: lambda chunk: copy.write(chunk.name, own.values(0, chunk) * 2, chunk.start))
    for path in folder.files:
        before, after = load_file(path), load_file(tmp_path / "out" / path.name)
        assert before.keys() == after.keys()
        for name in before:
            assert torch.equal(after[name], before[name] * 2 if name in stream.names else before[name])


def test_a_tensor_that_was_to_be_rewritten_and_was_not_whole_is_no_result(folder, tmp_path):
    with (
        pytest.raises(RuntimeError, match="c was not written completely"),
        patched_copy(folder, tmp_path / "place" / "out", rewritten=["a", "c"]) as copy,
    ):
        copy.write("a", folder.read("a"))
        copy.write("c", folder.read("c").flatten()[:-1])
    assert not any((tmp_path / "place").iterdir())
