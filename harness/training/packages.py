"""Optional packages that values of TRL's config fields require."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import Problem
from harness.plugin.config import missing_package

_SWITCHES = {
    "use_vllm": "vllm",
    "deepspeed": "deepspeed",
    "use_liger_kernel": "liger_kernel",
    "use_liger_loss": "liger_kernel",
}
_TRACKERS = {
    "azure_ml": "azureml",
    "clearml": "clearml",
    "codecarbon": "codecarbon",
    "comet_ml": "comet_ml",
    "dagshub": "dagshub",
    "dvclive": "dvclive",
    "flyte": "flytekit",
    "mlflow": "mlflow",
    "neptune": "neptune",
    "swanlab": "swanlab",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "wandb": "wandb",
}
_OPTIMIZERS = (
    (("bnb", "8bit", "paged", "ademamix"), "bitsandbytes"),
    (("apex",), "apex"),
    (("galore",), "galore_torch"),
    (("apollo",), "apollo_torch"),
    (("lomo",), "lomo_optim"),
    (("schedule_free",), "schedulefree"),
    (("grokadamw",), "grokadamw"),
)
_INSTALL = {
    "liger_kernel": "liger-kernel",
    "azureml": "azureml-mlflow",
    "comet_ml": "comet-ml",
    "flash_attn": "flash-attn",
}

_ATTENTION = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}
ATTENTION = rf"^(eager|sdpa|flex_attention|{'|'.join(_ATTENTION)}|[\w.@-]+/[\w.@:-]+)$"
"""The values of `attn_implementation`: transformers' own names, or the repository of a kernel."""


def missing_attention(name: str | None) -> Iterator[Problem]:
    """Yields a problem at the key `attn_implementation` if the package that it needs is not installed."""
    package = "kernels" if name and "/" in name else _ATTENTION.get(name or "")
    if package is not None:
        key = "attn_implementation"
        yield from missing_package(package, key=key, wanted_by=f"{key}: {name}", install=_INSTALL.get(package, ""))


def missing_packages(trl: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields a problem at the key `trl.FIELD` for each required package that is not installed."""
    for field, package in _needed(trl):
        yield from missing_package(
            package, key=f"trl.{field}", wanted_by=f"{field}: {trl[field]}", install=_INSTALL.get(package, "")
        )


def _needed(trl: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, package in _SWITCHES.items():
        if trl.get(field):
            yield field, package
    trackers = trl.get("report_to")
    for tracker in [trackers] if isinstance(trackers, str) else trackers or ():
        if tracker in _TRACKERS:
            yield "report_to", _TRACKERS[tracker]
    optimizer = str(trl.get("optim", ""))
    if "torchao" in optimizer or optimizer in ("adamw_torch_4bit", "adamw_torch_8bit"):
        yield "optim", "torchao"
        return
    for marks, package in _OPTIMIZERS:
        if any(mark in optimizer for mark in marks):
            yield "optim", package
            return
