"""Delta checkpoints: restored bit for bit, and smaller if less has changed."""

import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from harness import CheckpointError
from harness.weights import delta
from harness.weights.model_folder import check_checkpoint

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def model(folder, tensors, shards=1, **files):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return folder
    places = {}
    for shard in range(shards):
        inside = {name: tensors[name] for name in sorted(tensors)[shard::shards]}
        save_file(inside, folder / f"m-{shard}.safetensors", {"format": "pt", "shard": str(shard)})
        places |= dict.fromkeys(inside, f"m-{shard}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def edited(tensors, share, seed, size=1e-3):
    draw = torch.Generator().manual_seed(seed)
    result = {}
    for name, old in tensors.items():
        edit = size * torch.randn(old.shape, generator=draw) * (torch.rand(old.shape, generator=draw) < share)
        result[name] = (old.float() + edit).to(old.dtype)
    return result


def drawn(dtype, seed=0, side=40):
    draw = torch.Generator().manual_seed(seed)
    shapes = {"layers.0.w": (side, side), "layers.1.w": (side, side), "bias": (7,), "empty": (0, 3), "one": ()}
    return {name: torch.randn(shape, generator=draw).to(dtype) for name, shape in shapes.items()}


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def restored(parent, child, root):
    for name in ("delta", "out"):
        (root / name).mkdir()
    assert delta.write_delta(parent, child, root / "delta")
    delta.check(root / "delta")
    delta.restore(parent, root / "delta", root / "out")
    return root / "out"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    case=st.tuples(
        st.sampled_from(sorted(DTYPES)),
        st.integers(1, 3),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.001, 0.2, 0.97, 1.0]),
        st.integers(0, 99),
        st.sampled_from([64, 1 << 20]),
    )
)
def test_the_same_files_come_back(tmp_path_factory, case):
    dtype, parent_shards, child_shards, share, seed, chunk = case
    root = tmp_path_factory.mktemp("delta")
    old = drawn(DTYPES[dtype], seed)
    parent = model(root / "parent", old, parent_shards)
    child = model(root / "child", edited(old, share, seed + 1), child_shards, tokenizer='{"model": 1}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delta, "_CHUNK", chunk)
        assert files_of(restored(parent, child, root)) == files_of(child)


def test_every_bit_pattern_comes_back_and_so_do_tensors_the_parent_has_not(tmp_path):
    bits = torch.from_numpy(np.arange(1 << 16, dtype=np.uint16).view(np.int16)).view(torch.bfloat16)
    parent = model(
        tmp_path / "parent", {"w": torch.zeros(1 << 16).bfloat16(), "gone": torch.zeros(2), "v": torch.ones(3)}
    )
    child = model(tmp_path / "child", {"w": bits, "new": torch.tensor([float("nan"), -0.0]), "v": torch.ones(4)})
    assert files_of(restored(parent, child, tmp_path)) == files_of(child)


def test_a_mostly_unchanged_child_takes_a_fraction_and_a_changed_one_is_not_kept(tmp_path):
    old = drawn(torch.bfloat16, side=512)
    parent = model(tmp_path / "parent", old)
    sparse = model(tmp_path / "sparse", edited(old, 0.2, 1, size=0.01))
    other = model(tmp_path / "other", drawn(torch.bfloat16, seed=5, side=512))
    (tmp_path / "a").mkdir()
    assert delta.write_delta(parent, sparse, tmp_path / "a", below=0.3)
    (tmp_path / "b").mkdir()
    assert not delta.write_delta(parent, other, tmp_path / "b", below=0.7)
    assert not any((tmp_path / "b").iterdir())


def test_another_parent_and_damage_are_told_apart(tmp_path):
    old = drawn(torch.float32)
    parent = model(tmp_path / "parent", old)
    child = model(tmp_path / "child", edited(old, 0.5, 1))
    other = model(tmp_path / "other", edited(old, 0.5, 2))
    restored(parent, child, tmp_path)
    (tmp_path / "again").mkdir()
    with pytest.raises(CheckpointError, match="belongs to another parent"):
        delta.restore(other, tmp_path / "delta", tmp_path / "again")
    changes = tmp_path / "delta" / "delta.bin"
    whole = changes.read_bytes()
    changes.write_bytes(whole[:-40] + bytes(40))
    (tmp_path / "damaged").mkdir()
    with pytest.raises(CheckpointError, match="the delta is damaged"):
        delta.restore(parent, tmp_path / "delta", tmp_path / "damaged")
    changes.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="missing or cut off"):
        delta.check(tmp_path / "delta")


@pytest.mark.parametrize(("before", "after"), [("bf16", "fp32"), ("fp32", "bf16"), ("fp16", "bf16"), ("fp32", "fp16")])
def test_a_child_of_another_dtype_is_stored_against_its_parents_values(tmp_path, before, after):
    old = drawn(DTYPES[before], side=256)
    parent = model(tmp_path / "parent", old)
    new = edited({name: value.to(DTYPES[after]) for name, value in old.items()}, 0.05, 1)
    child = model(tmp_path / "child", new, 2)
    assert files_of(restored(parent, child, tmp_path)) == files_of(child)
    assert (tmp_path / "delta" / "delta.bin").stat().st_size < 0.1 * sum(len(one) for one in files_of(child).values())


def test_integers_are_not_taken_for_floating_point(tmp_path):
    parent = model(tmp_path / "parent", {"w": torch.arange(4096), "v": torch.arange(9.0)})
    child = model(tmp_path / "child", {"w": torch.arange(4096.0), "v": torch.arange(9)})
    assert files_of(restored(parent, child, tmp_path)) == files_of(child)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_random_planes_change_nothing(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(delta, "_CHUNK", 1 << 10)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    old = drawn(torch.float32, side=96)
    parent = model(tmp_path / "parent", old, 2)
    changed = edited(old, 1.0, 1, size=1.0) | {"layers.1.w": old["layers.1.w"] * (1 + 2**-12)}
    child = model(tmp_path / "child", changed, 2)
    assert files_of(restored(parent, child, tmp_path)) == files_of(child)


def test_folders_below_the_model_come_back_and_links_are_refused(tmp_path):
    old = drawn(torch.float32)
    parent = model(tmp_path / "parent", old)
    child = model(tmp_path / "child", edited(old, 0.5, 1))
    (child / "code").mkdir()
    (child / "code" / "model.safetensors").write_text("no weights of this model")
    assert files_of(restored(parent, child, tmp_path)) == files_of(child)
    (child / "link").symlink_to(child / "config.json")
    (tmp_path / "linked").mkdir()
    with pytest.raises(CheckpointError, match="cannot hold a symbolic link"):
        delta.write_delta(parent, child, tmp_path / "linked")


def test_a_verified_delta_restores_and_another_does_not_pass(tmp_path):
    old = drawn(torch.bfloat16)
    parent = model(tmp_path / "parent", old)
    child = model(tmp_path / "child", edited(old, 0.5, 1, size=0.1))
    restored(parent, child, tmp_path)
    delta.verify(parent, tmp_path / "delta")
    changes = tmp_path / "delta" / "delta.bin"
    whole = bytearray(changes.read_bytes())
    whole[len(whole) // 2] ^= 1
    changes.write_bytes(whole)
    with pytest.raises(CheckpointError, match="the delta is damaged"):
        delta.verify(parent, tmp_path / "delta")


def test_a_delta_is_no_model_and_says_what_to_do(tmp_path):
    old = drawn(torch.float32)
    parent = model(tmp_path / "parent", old)
    restored(parent, model(tmp_path / "child", edited(old, 0.5, 1)), tmp_path)
    with pytest.raises(CheckpointError, match="holds a delta") as raised:
        check_checkpoint(tmp_path / "delta")
    assert "harness export" in raised.value.hint
