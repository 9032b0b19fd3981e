"""The protocol's `launch` section: how training steps are started in several processes.

`accelerate` holds what accelerate's own config file does, or names such a file. Its keys are checked against the
installed accelerate, whose source is read for that and not imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness._util.dataclass_fields import declared_fields, package_folder
from harness.errors import ProtocolError
from harness.plugin.config import missing_package
from harness.protocol.faults import Faults, near_match
from harness.protocol.source import KeyPath, read_source

AT: KeyPath = ("launch", "accelerate")
SEVERAL = ("MULTI_GPU", "FSDP", "DEEPSPEED", "MULTI_NPU", "MULTI_XPU", "MULTI_MLU", "MULTI_HPU")


def read_launch(section: Any, protocol: Path, faults: Faults) -> Mapping[str, Any] | None:
    """Returns accelerate's config as JSON data; None where no launch is asked for, or with a fault."""
    given = section.get("accelerate") if isinstance(section, dict) else None
    if given is None:
        return None  # what else may be wrong with it is said where the file's shape is checked
    if isinstance(given, str):
        file = protocol.parent / given
        try:
            given = read_source(file).data
        except ProtocolError as error:
            told = "; ".join(problem.message for problem in error.problems)
            faults.add(AT, f"{file}: {told}", "name accelerate's config file, as seen from this file's folder")
            return None
    return _checked(given, faults)


def _checked(config: Mapping[str, Any], faults: Faults) -> Mapping[str, Any] | None:
    try:
        file = package_folder("accelerate") / "commands" / "config" / "config_args.py"
        known = declared_fields("ClusterConfig", (file,))
    except LookupError as error:
        faults.add(AT, str(error), "pip install accelerate")
        return None
    unknown = [key for key in config if key not in known]
    for key in unknown:
        faults.add((*AT, key), "accelerate's config has no such key", near_match(str(key), known))
    processes = config.get("num_processes")
    if not isinstance(processes, int) or isinstance(processes, bool) or processes < 1:
        faults.add((*AT, "num_processes"), f"should be a number of processes, not {processes!r}", "1 or more")
    elif processes > 1 and config.get("distributed_type") not in SEVERAL:
        faults.add(
            (*AT, "distributed_type"),
            f"is {config.get('distributed_type')!r}: accelerate would start one process instead of {processes}",
            f"name one of {', '.join(SEVERAL)}; MULTI_GPU on a machine without GPUs starts processes on its CPU",
        )
    if config.get("distributed_type") == "DEEPSPEED":
        for problem in missing_package("deepspeed", key="", wanted_by="distributed_type: DEEPSPEED"):
            faults.add_unmet((*AT, "distributed_type"), problem)
    if config.get("num_machines", 1) != 1:
        faults.add((*AT, "num_machines"), "is not 1", "a step is launched on one machine; engines reach others")
    try:
        plain: Mapping[str, Any] = json.loads(json.dumps(config, allow_nan=False))
    except (TypeError, ValueError) as error:
        faults.add(AT, f"cannot be written as JSON: {error}")
        return None
    return None if unknown else plain
