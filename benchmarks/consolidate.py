"""What a merge of four stages costs beside reading their checkpoints and writing one: wall time and memory.

    python benchmarks/consolidate.py [--gb 1] [--stages 4] [--rounds 3] [--folder DIR] [--json FILE]

It makes bf16 checkpoints in the shape of a Llama and a curvature in fp32 for each. Then, in one process, two sides take
turns, the other first in every second round: `raw` reads what the merge reads through one buffer, writes one checkpoint
and syncs it; `merge` is the recovery `consolidate` on curvatures that are in the cache of the store. It does so for
`uniform`, which reads the checkpoints, and for `policy-fisher`, which reads their curvatures too. Before each turn the
files are dropped from the page cache; the number of bytes that were read from the disk is printed. At the end, both
merges are compared bit for bit with a naive version, which computes whole tensors in fp64. Anonymous memory is the
process's RssAnon, sampled every 5 ms, with what importing torch takes in it. The merge computes with as many threads as
torch does (OMP_NUM_THREADS).

Targets: the median of the merge's seconds is at most 1.5 times that of raw's, at most 0.5 GB of anonymous memory, and
every bit is the naive version's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from anonymous_memory import run_measured
from rollback import Cache, bytes_read, drop, identical, read_and_copy

RATIO_LIMIT, MEMORY_LIMIT_GB = 1.5, 0.5
WEIGHTS = ("uniform", "policy-fisher")


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=1.0, help="of one checkpoint")
    parser.add_argument("--stages", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the checkpoints lie meanwhile: 15 GB for the defaults")
    parser.add_argument("--json", type=Path, help="write the result there too")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CHILDREN[arguments.child[0]](Path(arguments.child[1]))))
        return
    settings = {"GB": str(arguments.gb), "STAGES": str(arguments.stages), "ROUNDS": str(arguments.rounds)}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        child("make", Path(folder), settings)
        measured = {weights: turns_of(Path(folder), settings | {"WEIGHTS": weights}) for weights in WEIGHTS}
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        "gb": arguments.gb,
        "stages": arguments.stages,
        "weights": measured,
        "met": {
            "ratio": all(one["ratio_of_medians"] <= RATIO_LIMIT for one in measured.values()),
            "memory": all(one["merge_anonymous_gb"] <= MEMORY_LIMIT_GB for one in measured.values()),
            "identical": all(one["identical_to_naive"] for one in measured.values()),
        },
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if all(result["met"].values()) else 1)


def turns_of(folder: Path, settings: dict[str, str]) -> dict[str, Any]:
    """Returns times, ratio, memory and the comparison with the naive version, for one kind of weights."""
    ran, anonymous = child("turns", folder, settings)
    same, _ = child("compare", folder, settings)
    seconds = ran["seconds"]
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    return {
        **{f"{side}_seconds": [round(value, 2) for value in values] for side, values in seconds.items()},
        **{f"{side}_read_gb": round(statistics.median(values), 2) for side, values in ran["read_gb"].items()},
        "ratio_of_medians": round(medians["merge"] / medians["raw"], 3),
        "ratio_of_fastest": round(min(seconds["merge"]) / min(seconds["raw"]), 3),
        "merge_anonymous_gb": round(anonymous, 3),
        "identical_to_naive": same["identical"],
    }


def child(kind: str, folder: Path, settings: dict[str, str]) -> tuple[dict[str, Any], float]:
    """Runs one of CHILDREN in a process of its own. Returns what it gave and its largest anonymous memory in GB."""
    command = [sys.executable, __file__, "--child", kind, str(folder)]
    output, anonymous = run_measured(command, {**os.environ, **settings})
    return json.loads(output.splitlines()[-1]), anonymous


# --------------------------------------------------------------------------------------------- what children do


def make(folder: Path) -> dict[str, Any]:
    """Writes the checkpoints and curvatures, layer by layer: hidden 2,048, intermediate 5,632, tied, 24,000 tokens."""
    import torch
    from safetensors.torch import save_file

    hidden, inner, tokens = 2048, 5632, 24000
    layer = {
        **dict.fromkeys(("self_attn.q_proj", "self_attn.o_proj"), (hidden, hidden)),
        **dict.fromkeys(("self_attn.k_proj", "self_attn.v_proj"), (512, hidden)),
        **dict.fromkeys(("mlp.gate_proj", "mlp.up_proj"), (inner, hidden)),
        "mlp.down_proj": (hidden, inner),
    }
    wanted = float(os.environ["GB"]) * 1e9 / 2
    tokens = min(tokens, int(wanted * 0.1 / hidden))
    layers = max(1, round((wanted - tokens * hidden) / sum(math.prod(shape) for shape in layer.values())))
    shards: list[dict[str, tuple[int, ...]]] = [{"model.embed_tokens.weight": (tokens, hidden)}]
    shards += [{f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()} for i in range(layers)]
    index = {name: f"model-{number:03}.safetensors" for number, shard in enumerate(shards) for name in shard}
    draw = torch.Generator().manual_seed(0)
    sums: list[dict[str, float]] = [{} for _ in stages()]
    for stage in stages():
        (folder / f"stage-{stage}").mkdir()
        (folder / f"fisher-{stage}").mkdir()
        (folder / f"stage-{stage}" / "config.json").write_text("{}")
        (folder / f"stage-{stage}" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    for number, shard in enumerate(shards):
        base = {name: torch.randn(shape, generator=draw).mul_(0.02) for name, shape in shard.items()}
        for stage in stages():
            moved, fisher = {}, {}
            for name, values in base.items():
                moved[name] = (values + 0.002 * torch.randn(values.shape, generator=draw)).bfloat16()
                fisher[name] = torch.randn(values.shape, generator=draw).pow_(4).mul_(1e-6)
                sums[stage][name] = float(fisher[name].sum(dtype=torch.float64))
            save_file(moved, folder / f"stage-{stage}" / f"model-{number:03}.safetensors", {"format": "pt"})
            save_file(fisher, folder / f"fisher-{stage}" / f"gradients-{number:03}.safetensors", {"format": "pt"})
    for stage in stages():
        (folder / f"fisher-{stage}" / "sums.json").write_text(json.dumps(sums[stage]))
        (folder / f"fisher-{stage}" / "sampled.json").write_text('{"completions": 256, "tokens": 0}')
    os.sync()
    return {}


def stages() -> range:
    """Returns the numbers of the stages."""
    return range(int(os.environ["STAGES"]))


def turns(folder: Path) -> dict[str, Any]:
    """Returns each side's seconds and GB read from the disk, round by round."""
    sides = {"raw": raw, "merge": merge}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    read: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(int(os.environ["ROUNDS"]) + 1):
        for side in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            os.sync()
            drop(inputs(folder))
            before = bytes_read()
            taken = sides[side](folder)
            if number:  # the first round is not measured: imports, and the first touch of idle memory
                seconds[side].append(taken)
                read[side].append((bytes_read() - before) / 1e9)
    return {"seconds": seconds, "read_gb": read}


def inputs(folder: Path) -> list[Path]:
    """Returns the files that a merge with the weights under test reads."""
    kinds = ("stage",) if os.environ["WEIGHTS"] == "uniform" else ("stage", "fisher")
    names = [f"{kind}-{stage}" for kind in kinds for stage in stages()]
    return [path for name in names for path in sorted((folder / name).glob("*.safetensors"))]


def raw(folder: Path) -> float:
    """Reads all inputs through one buffer, writes a copy of the last checkpoint, and syncs it. Returns the seconds."""
    return read_and_copy(inputs(folder), f"stage-{stages()[-1]}", folder / "raw")


def merge(folder: Path, *, keep: bool = False) -> float:
    """Runs the plugin. Returns the seconds."""
    from harness import LineageEntry, RecoveryContext
    from harness.testing import tiny_domains
    from harness_recoveries.consolidate.config import ConsolidateConfig
    from harness_recoveries.consolidate.recovery import Consolidate

    names = [f"domain-{stage}" for stage in stages()]
    entries = [
        LineageEntry(step=stage, label=name, domains=(name,), folder=folder / f"stage-{stage}")
        for stage, name in enumerate(names)
    ]
    context = RecoveryContext(
        lineage=entries,
        target=names[0],
        peak=0,
        targets=names,
        peaks={name: stage for stage, name in enumerate(names)},
        domains=dict.fromkeys(names, tiny_domains()["one"]),
        output=folder / "merged",
        scratch=folder,
        metrics=folder / "metrics.jsonl",
        seed=0,
        progress=lambda done, total, metrics: None,
        cache=Cache(lambda checkpoint: folder / f"fisher-{checkpoint.step}"),
    )
    started = time.perf_counter()
    Consolidate(ConsolidateConfig(weights=os.environ["WEIGHTS"])).recover(context)  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    if not keep:
        shutil.rmtree(folder / "merged")
    return seconds


def compare(folder: Path) -> dict[str, Any]:
    """Merges with the plugin and with whole tensors in fp64. Returns whether every bit is the same."""
    import torch
    from safetensors.torch import load_file, save_file

    merge(folder, keep=True)
    uniform = os.environ["WEIGHTS"] == "uniform"
    sums = [math.fsum(json.loads((folder / f"fisher-{n}" / "sums.json").read_text()).values()) for n in stages()]
    (folder / "naive").mkdir()
    for path in sorted((folder / "stage-0").glob("*.safetensors")):
        thetas = [load_file(folder / f"stage-{n}" / path.name) for n in stages()]
        fishers = [load_file(folder / f"fisher-{n}" / path.name.replace("model", "gradients")) for n in stages()]
        merged = {}
        for name in thetas[0]:
            weights = [1.0 if uniform else fishers[n][name].double() / sums[n] for n in stages()]
            total = sum(weight * theta[name].double() for weight, theta in zip(weights, thetas, strict=True))
            merged[name] = (total / sum(weights)).to(torch.bfloat16)
        save_file(merged, folder / "naive" / path.name, {"format": "pt"})
    same = identical(folder / "merged", folder / "naive")
    shutil.rmtree(folder / "merged")
    shutil.rmtree(folder / "naive")
    return {"identical": same}


CHILDREN = {"make": make, "turns": turns, "compare": compare}


if __name__ == "__main__":
    main()
