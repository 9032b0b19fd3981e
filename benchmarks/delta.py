"""What a checkpoint takes as a delta against its parent, beside the whole model, and whether it comes back bit for bit.

Pairs are made, of which a fifth of the values differ, in fp32 and bf16, in one file and in four. `--trained` makes
pairs of the shape of a Llama with 135 million parameters; the second model is the first after steps of AdamW on dense
gradients, in the weights' own dtype. `--store DIR` names a folder of runs, of whose plans every training, recovery and
merge is measured against what it started from (a merge against the base), whatever form it is stored in. Deltas are
written without their limit, which is reported beside them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from harness.weights.delta import restore, write_delta
from harness.weights.model_folder import weight_files
from harness.weights.storage_forms import BELOW

CHANGED = 0.2
TENSORS = 16
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
RATES = ((1e-6, 5), (1e-6, 30), (1e-5, 5), (1e-5, 30), (1e-4, 10))
"""Learning rates and numbers of AdamW steps of `--trained`."""
SHAPES = {"embed_tokens": (49152, 576)} | {
    f"layers.{layer}.{name}": shape
    for layer in range(30)
    for name, shape in {
        "q_proj": (576, 576), "k_proj": (192, 576), "v_proj": (192, 576), "o_proj": (576, 576),
        "gate_proj": (1536, 576), "up_proj": (1536, 576), "down_proj": (576, 1536),
    }.items()
}  # fmt: skip


def main() -> None:
    """Prints the figures as JSON; exits with 1 where a file did not come back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=256, help="of a pair's models in fp32; half in bf16")
    parser.add_argument("--store", type=Path, help="a folder of runs, whose checkpoints are measured too")
    parser.add_argument("--trained", action="store_true", help="pairs of a model of 135 million parameters, in minutes")
    parser.add_argument("--only-store", action="store_true", help="make no pairs")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"limit": BELOW, "threads": torch.get_num_threads()}
    result |= {"pairs": [], "trained": [], "stages": []}
    if not arguments.only_store:
        for name, dtype in DTYPES.items():
            for shards in (1, 4):
                with tempfile.TemporaryDirectory() as folder:
                    made = pair(Path(folder), dtype, shards, int(arguments.megabytes * 1e6 / 4))
                    result["pairs"].append({"dtype": name, "files": shards, **measured(*made)})
    for name, dtype in DTYPES.items() if arguments.trained else ():
        for rate, steps in RATES:
            with tempfile.TemporaryDirectory() as folder:
                made = trained_pair(Path(folder), dtype, rate, steps)
                result["trained"].append({"dtype": name, "learning_rate": rate, "steps": steps, **measured(*made)})
    if arguments.store is not None:
        result["stages"] = stages(arguments.store)
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(one["same"] for one in result["pairs"] + result["trained"] + result["stages"]) else 1)


def pair(folder: Path, dtype: torch.dtype, shards: int, parameters: int) -> tuple[Path, Path]:
    """Returns two model folders of so many parameters, normal with standard deviation 0.02, of which the second has a
    fifth of the values moved by a tenth of that: after rounding to bf16 nearly all of these differ."""
    draw = torch.Generator().manual_seed(0)
    shape = (TENSORS, parameters // TENSORS)
    old = 0.02 * torch.randn(shape, generator=draw)
    moved = torch.rand(shape, generator=draw) < CHANGED
    new = torch.where(moved, old + 0.002 * torch.randn(shape, generator=draw), old)
    return written(folder / "parent", old.to(dtype), shards), written(folder / "child", new.to(dtype), shards)


def trained_pair(folder: Path, dtype: torch.dtype, rate: float, steps: int) -> tuple[Path, Path]:
    """Returns two model folders of the shapes `SHAPES`: normal weights with standard deviation 0.02, and the same after
    AdamW on gradients that are noise of standard deviation 1 around a fixed direction of standard deviation 0.3."""
    draw = torch.Generator().manual_seed(0)
    old = {name: (0.02 * torch.randn(shape, generator=draw)).to(dtype) for name, shape in SHAPES.items()}
    new = {}
    for name, values in old.items():
        weight = torch.nn.Parameter(values.clone())
        optimizer = torch.optim.AdamW([weight], lr=rate, weight_decay=0.0)
        direction = 0.3 * torch.randn(values.shape, generator=draw)
        for _ in range(steps):
            weight.grad = (direction + torch.randn(values.shape, generator=draw)).to(dtype)
            optimizer.step()
        new[name] = weight.detach()
    for name, tensors in (("parent", old), ("child", new)):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}", encoding="utf-8")
        save_file(tensors, folder / name / "model.safetensors", {"format": "pt"})
    return folder / "parent", folder / "child"


def written(folder: Path, values: torch.Tensor, shards: int) -> Path:
    """Returns the model folder that holds each row of `values` as a tensor, in so many files."""
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    tensors = {f"layers.{index}.weight": row.clone() for index, row in enumerate(values)}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return folder
    index: dict[str, str] = {}
    for shard in range(shards):
        inside = dict(list(tensors.items())[shard::shards])
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file(inside, folder / name, {"format": "pt"})
        index |= dict.fromkeys(inside, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    return folder


def measured(parent: Path, child: Path) -> dict[str, Any]:
    """Returns sizes in bytes, times in seconds, and whether every file came back."""
    with tempfile.TemporaryDirectory() as scratch:
        delta, back = Path(scratch) / "delta", Path(scratch) / "back"
        delta.mkdir()
        back.mkdir()
        begin = time.monotonic()
        write_delta(parent, child, delta)
        middle = time.monotonic()
        restore(parent, delta, back)
        end = time.monotonic()
        full = sum(path.stat().st_size for path in weight_files(child))
        size = sum((delta / name).stat().st_size for name in ("delta.bin", "delta.json"))
        return {
            "full_bytes": full,
            "delta_bytes": size,
            "share": round(size / full, 4),
            "changed": round(changed(parent, child), 4),
            "same": digests(back) == digests(child),
            "write_seconds": round(middle - begin, 3),
            "restore_seconds": round(end - middle, 3),
        }


def changed(parent: Path, child: Path) -> float:
    """Returns the share of the child's values whose bits differ from the parent's, taken in the child's dtype."""
    from harness.weights import WeightFolder

    before, after = WeightFolder(parent), WeightFolder(child)
    count = differing = 0
    for name, new in after:
        count += new.numel()
        kind = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}[new.element_size()]
        differing += int((before.read(name).to(new.dtype).view(kind) != new.view(kind)).sum())
    return differing / count


def digests(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each file below `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stages(runs: Path) -> list[dict[str, Any]]:
    """Returns the measurement of each stage of the runs in a folder, once however many runs share it."""
    from harness.execution import CheckpointFolders
    from harness.execution.store import Store
    from harness.planning.node import StepNode
    from harness.planning.serialization import read_plan
    from harness.plugin.registry import Registry

    registry, store = Registry.discover(), Store(runs / "store")
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(runs.glob("*/plan.json")):
        plan = read_plan(path)
        for node in plan.nodes.values():
            if isinstance(node, StepNode) and node.key not in found and store.has(node.key):
                with CheckpointFolders(plan, store, registry) as folders:
                    made = measured(folders.parent(node.key), folders.folder(node.key))
                found[node.key] = {"protocol": plan.protocol, "seed": node.seed, "step": node.label, **made}
    return list(found.values())


if __name__ == "__main__":
    main()
