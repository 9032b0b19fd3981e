"""The protocol's `launch` section: multi-process training steps.

`accelerate` contains an accelerate config or the path of a config file. Its keys are checked against the source of the
installed accelerate, which is not imported.
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
_SET_BY_ENGINE = {"machine_rank": "is set for each machine", "main_process_ip": "is set to the first machine's"}
SEVERAL = ("MULTI_GPU", "FSDP", "DEEPSPEED", "MULTI_NPU", "MULTI_XPU", "MULTI_MLU", "MULTI_HPU")


def read_launch(section: Any, protocol: Path, faults: Faults) -> Mapping[str, Any] | None:
    """Returns accelerate's config as JSON data; None if there is no launch section or it has a fault."""
    given = section.get("accelerate") if isinstance(section, dict) else None
    if given is None:
        return None  # other errors are reported when the shape of the file is checked
    if isinstance(given, str):
        file = protocol.parent / given
        try:
            given = read_source(file).data
        except ProtocolError as error:
            messages = "; ".join(problem.message for problem in error.problems)
            faults.add(AT, f"{file}: {messages}", "give accelerate's config file, relative to this file's folder")
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
            f"use one of {', '.join(SEVERAL)}; without GPUs, MULTI_GPU starts the processes on the CPU",
        )
    if config.get("distributed_type") == "DEEPSPEED":
        for problem in missing_package("deepspeed", key="", wanted_by="distributed_type: DEEPSPEED"):
            faults.add_unmet((*AT, "distributed_type"), problem)
    machines = config.get("num_machines", 1)
    if not isinstance(machines, int) or isinstance(machines, bool) or machines < 1:
        faults.add((*AT, "num_machines"), f"should be a number of machines, not {machines!r}", "1 or more")
    elif isinstance(processes, int) and processes % machines:
        message = f"{processes} processes cannot be divided among {machines} machines"
        faults.add((*AT, "num_processes"), message, "give a multiple of num_machines: it counts all processes")
    for key in config.keys() & _SET_BY_ENGINE.keys() if machines != 1 else ():
        faults.add((*AT, key), f"{_SET_BY_ENGINE[key]}, because the engine chooses the machines", "leave it out")
    try:
        plain: Mapping[str, Any] = json.loads(json.dumps(config, allow_nan=False))
    except (TypeError, ValueError) as error:
        faults.add(AT, f"cannot be written as JSON: {error}")
        return None
    return None if unknown else plain
