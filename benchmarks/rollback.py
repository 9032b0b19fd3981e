"""What a rollback costs beside reading its three checkpoints and writing one: wall time, memory, growth with the size.

    python benchmarks/rollback.py [--sizes 0.25,0.5,1,2] [--rounds 6] [--naive 0.25] [--folder DIR] [--json FILE]

For each size in GB (10^9 bytes) it makes three bf16 checkpoints in the shape of a Llama: a peak, a damaged one of which
80 % of the values are the peak's, and one that stands for the Fisher diagonal. Then, in one process, two sides take
turns, the other first in every second round: `raw` reads all three through one buffer, writes the damaged one and syncs
it; `rollback` is the plugin, fisher score, 5 % of the coordinates. Both read what lies on the `disk` (the kernel is
told to drop it from its cache; the bytes that were really read are printed), and then what lies in the `cache`. Right
before each turn a file of the checkpoint's size is written and removed, since on a virtual machine the first touch of
memory that was idle costs more than all that is measured here. At the size `--naive`, a plain version that holds whole
models in memory is run once, and its output compared byte for byte. Anonymous memory is the process's RssAnon, sampled
every 5 ms, with what importing torch takes in it. The rollback computes with as many threads as torch does
(OMP_NUM_THREADS).

Targets, at 1 GB: the median of the rollback's seconds is at most 1.3 times that of raw's, wherever both read from (the
ratio of the fastest is printed too); at most 0.5 GB of anonymous memory; time a GB at the largest size within 1.3 of
that at the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from anonymous_memory import run_measured

RATIO_LIMIT, MEMORY_LIMIT_GB, GROWTH_LIMIT = 1.3, 0.5, 1.3
FRACTION = 0.05
NAMES = ("now", "peak", "fisher")
SIDES = ("raw", "rollback")
PLACES = ("disk", "cache")
BUFFER = 1 << 23


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="0.25,0.5,1,2", help="of one checkpoint, in GB")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--naive", type=float, default=0.25, help="the size at which outputs are compared; 0 for none")
    parser.add_argument("--folder", type=Path, help="where the checkpoints lie meanwhile: four times the largest size")
    parser.add_argument("--json", type=Path, help="write the result there too")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child[0]](Path(arguments.child[1]))))
        return
    sizes = [float(size) for size in arguments.sizes.split(",")]
    by_size: dict[float, dict[str, Any]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            child("make", Path(folder), GB=str(size))
            by_size[size] = measured(Path(folder), arguments.rounds)
            if size == arguments.naive:
                by_size[size] |= compared(Path(folder))
            print(json.dumps({str(size): by_size[size]}), file=sys.stderr)
    first, last = by_size[sizes[0]], by_size[sizes[-1]]
    growth = {place: seconds_a_gb(last, place, sizes[-1]) / seconds_a_gb(first, place, sizes[0]) for place in PLACES}
    judged = by_size.get(1.0, last)
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "fraction": FRACTION,
        "sizes_gb": {str(size): values for size, values in by_size.items()},
        "seconds_a_gb_largest_over_smallest": {place: round(value, 3) for place, value in growth.items()},
        "ratio_limit": RATIO_LIMIT,
        "memory_limit_gb": MEMORY_LIMIT_GB,
        "met": {
            **{f"ratio from the {place}": judged[place]["ratio_of_medians"] <= RATIO_LIMIT for place in PLACES},
            "memory": max(judged[place]["rollback_anonymous_gb"] for place in PLACES) <= MEMORY_LIMIT_GB,
            "growth": max(growth.values()) <= GROWTH_LIMIT,
            "identical": all(values.get("identical_to_naive", True) for values in by_size.values()),
        },
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if all(result["met"].values()) else 1)


def seconds_a_gb(values: dict[str, Any], place: str, size: float) -> float:
    """Returns the median of the rollback's seconds for each GB of a checkpoint."""
    seconds: list[float] = values[place]["rollback_seconds"]
    return statistics.median(seconds) / size


def measured(folder: Path, rounds: int) -> dict[str, Any]:
    """Returns times, ratios and memory, for what lies on the disk and in the cache."""
    result = {}
    for place in PLACES:
        ran, anonymous = child("turns", folder, PLACE=place, ROUNDS=str(rounds))
        seconds, read = ran["seconds"], ran["read_gb"]
        medians = {side: statistics.median(seconds[side]) for side in SIDES}
        result[place] = {
            **{f"{side}_seconds": [round(value, 3) for value in seconds[side]] for side in SIDES},
            **{f"{side}_read_gb": round(statistics.median(read[side]), 2) for side in SIDES},
            "ratio_of_medians": round(medians["rollback"] / medians["raw"], 3),
            "ratio_of_fastest": round(min(seconds["rollback"]) / min(seconds["raw"]), 3),
            "rollback_anonymous_gb": round(anonymous, 3),
        }
    return result


def compared(folder: Path) -> dict[str, Any]:
    """Returns the naive version's seconds and memory, and whether the rollback writes the same values."""
    ran, anonymous = child("naive", folder)
    child("kept", folder)
    return {
        "naive_seconds": round(ran["seconds"], 3),
        "naive_anonymous_gb": round(anonymous, 3),
        "identical_to_naive": identical(folder / "out", folder / "naive"),
    }


def child(kind: str, folder: Path, **environment: str) -> tuple[dict[str, Any], float]:
    """Runs one of CHILDREN in a process of its own. Returns what it gave and its largest anonymous memory in GB."""
    command = [sys.executable, __file__, "--child", kind, str(folder)]
    output, anonymous = run_measured(command, {**os.environ, **environment})
    return json.loads(output.splitlines()[-1]), anonymous


# --------------------------------------------------------------------------------------------- what children do


def make(folder: Path) -> dict[str, Any]:
    """Writes the three checkpoints, layer by layer: hidden 2,048, intermediate 5,632, untied, 32,000 tokens."""
    import torch
    from safetensors.torch import save_file

    hidden, inner, tokens = 2048, 5632, 32000
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (512, hidden),
        "self_attn.v_proj": (512, hidden),
    }
    layer |= {"self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden)}
    layer |= {"mlp.down_proj": (hidden, inner), "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
    draw = torch.Generator().manual_seed(0)
    wanted = float(os.environ["GB"]) * 1e9 / 2
    # Small sizes have a small vocabulary, so that what a size has more of is layers.
    tokens = min(tokens, int(wanted * 0.1 / hidden))
    in_a_layer = sum(int(torch.tensor(shape).prod()) for shape in layer.values())
    layers = max(1, round((wanted - 2 * tokens * hidden) / in_a_layer))
    shards: list[dict[str, tuple[int, ...]]] = [{"model.embed_tokens.weight": (tokens, hidden)}]
    shards += [{f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()} for i in range(layers)]
    shards += [{"model.norm.weight": (hidden,), "lm_head.weight": (tokens, hidden)}]
    index = {name: f"model-{i:03}.safetensors" for i, shard in enumerate(shards) for name in shard}
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "config.json").write_text('{"model_type": "llama"}')
        (folder / name / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    for number, shard in enumerate(shards):
        peak = {name: torch.randn(shape, generator=draw).mul_(0.02).bfloat16() for name, shape in shard.items()}
        now, fisher = {}, {}
        for name, values in peak.items():
            edit = torch.randn(values.shape, generator=draw).mul_(0.002)
            edit.mul_(torch.rand(values.shape, generator=draw) < 0.2)
            now[name] = (values.float() + edit).bfloat16()
            fisher[name] = torch.randn(values.shape, generator=draw).square_().mul_(1e-6).bfloat16()
        for folder_name, tensors in zip(NAMES, (now, peak, fisher), strict=True):
            save_file(tensors, folder / folder_name / f"model-{number:03}.safetensors", {"format": "pt"})
    os.sync()
    return {}


def turns(folder: Path) -> dict[str, Any]:
    """Returns each side's seconds and GB read from the disk, round by round."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    read: dict[str, list[float]] = {side: [] for side in SIDES}
    rollback(folder)  # what is imported at the first use is not measured
    for number in range(int(os.environ["ROUNDS"])):
        for side in SIDES if number % 2 == 0 else SIDES[::-1]:
            prepare(folder, os.environ["PLACE"])
            before = bytes_read()
            seconds[side].append({"raw": raw, "rollback": rollback}[side](folder))
            read[side].append((bytes_read() - before) / 1e9)
    return {"seconds": seconds, "read_gb": read}


def bytes_read() -> int:
    """Returns how many bytes this process has had read from the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def prepare(folder: Path, place: str) -> None:
    """Brings the checkpoints to where they shall be read from, and the memory that is free into use."""
    buffer = bytearray(BUFFER)
    for path in inputs(folder):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    with (folder / "idle").open("wb", buffering=0) as file:
        for _ in range(sum(path.stat().st_size for path in inputs(folder)) // len(NAMES) // BUFFER):
            file.write(buffer)
    (folder / "idle").unlink()
    os.sync()
    if place == "disk":
        drop(inputs(folder))


def inputs(folder: Path) -> list[Path]:
    """Returns the files of the three checkpoints."""
    return [path for name in NAMES for path in sorted((folder / name).glob("*.safetensors"))]


def drop(paths: Iterable[Path]) -> None:
    """Tells the kernel to drop files from its cache; what was written to them must be synced."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def raw(folder: Path) -> float:
    """Reads all three checkpoints through one buffer, writes one of them, and syncs it. Returns the seconds."""
    return read_and_copy(inputs(folder), "now", folder / "raw")


def read_and_copy(paths: Iterable[Path], copied: str, output: Path) -> float:
    """Reads files through one buffer, writes those that lie in a folder named `copied` to `output`, syncs them, and
    removes them. Returns the seconds, without the removal."""
    buffer = memoryview(bytearray(BUFFER))
    started = time.perf_counter()
    output.mkdir()
    for path in paths:
        with path.open("rb", buffering=0) as reading:
            if path.parent.name != copied:
                while reading.readinto(buffer):
                    pass
                continue
            with (output / path.name).open("wb", buffering=0) as writing:
                while read := reading.readinto(buffer):
                    writing.write(buffer[:read])
    for path in output.iterdir():
        sync(path)
    seconds = time.perf_counter() - started
    shutil.rmtree(output)
    return seconds


def sync(path: Path) -> None:
    """Waits until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def kept(folder: Path) -> dict[str, Any]:
    """Runs the plugin and leaves its output there."""
    rollback(folder, keep=True)
    return {}


def rollback(folder: Path, *, keep: bool = False) -> float:
    """Runs the plugin; the Fisher diagonal is taken from the third checkpoint. Returns the seconds."""
    from harness import LineageEntry, RecoveryContext
    from harness_recoveries.rollback.config import RollbackConfig
    from harness_recoveries.rollback.recovery import Rollback

    output = folder / "out"
    (folder / "fisher" / "sampled.json").write_text('{"completions": 128, "tokens": 0}')
    context = RecoveryContext(
        lineage=[
            LineageEntry(step=0, label="peak", domains=("math",), folder=folder / "peak"),
            LineageEntry(step=1, label="qa", domains=("qa",), folder=folder / "now"),
        ],
        target="math",
        peak=0,
        domains={"math": Named()},  # type: ignore[dict-item]
        output=output,
        scratch=folder,
        metrics=folder / "metrics.jsonl",
        seed=0,
        progress=lambda done, total, metrics: None,
        cache=Cache(lambda checkpoint: folder / "fisher"),
    )
    started = time.perf_counter()
    Rollback(RollbackConfig(score="fisher", fraction=FRACTION)).recover(context)
    seconds = time.perf_counter() - started
    if not keep:
        shutil.rmtree(output)
    return seconds


class Cache:
    """The store's cache, which has every curvature. place: returns the folder of that of a checkpoint."""

    seed = 0

    def __init__(self, place: Callable[[Any], Path]) -> None:
        self.place = place

    def __call__(self, name: str, make: Any, *, checkpoint: Any, domain: str, settings: Any) -> Path:
        return self.place(checkpoint)


class Named:
    """A domain of which nothing is asked but its name."""

    name = "math"


def naive(folder: Path) -> dict[str, Any]:
    """The same rollback with whole models in memory: every score in one vector, sorted."""
    import torch
    from safetensors.torch import load_file, save_file

    started = time.perf_counter()
    now, peak, fisher = (
        {n: t for path in sorted((folder / name).glob("*.safetensors")) for n, t in load_file(path).items()}
        for name in NAMES
    )
    names = sorted(name for name in now if "norm" not in name)
    scores = [fisher[name].float() * (now[name].float() - peak[name].float()).square() for name in names]
    flat = torch.cat([values.flatten() for values in scores])
    order = torch.sort(flat, descending=True, stable=True).indices[: max(1, round(FRACTION * flat.numel()))]
    chosen = torch.zeros(flat.numel(), dtype=torch.bool)
    chosen[order] = True
    offset = 0
    for name in names:
        mask = chosen[offset : offset + now[name].numel()].view_as(now[name])
        offset += now[name].numel()
        now[name] = torch.where(mask, peak[name], now[name])
    (folder / "naive").mkdir()
    for path in sorted((folder / "now").glob("*.safetensors")):
        inside = {name: now[name] for name in load_file(path)}
        save_file(inside, folder / "naive" / path.name, {"format": "pt"})
    return {"seconds": time.perf_counter() - started}


def identical(one: Path, other: Path) -> bool:
    """Returns whether two folders hold the same tensors, bit for bit, file by file."""
    import torch
    from safetensors.torch import load_file

    names = sorted(path.name for path in other.glob("*.safetensors"))
    if names != sorted(path.name for path in one.glob("*.safetensors")):
        return False
    for name in names:
        first, second = load_file(one / name), load_file(other / name)
        if first.keys() != second.keys():
            return False
        if not all(torch.equal(first[key].view(torch.int16), second[key].view(torch.int16)) for key in first):
            return False
    return True


CHILDREN = {"make": make, "turns": turns, "kept": kept, "naive": naive}


if __name__ == "__main__":
    main()
