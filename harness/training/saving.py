"""Writes the model of a TRL trainer: at the end of a step, and within it where the context asks for states."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from harness._util.distributed import rank, world_size
from harness._util.files import sync
from harness.plugin.interfaces import TrainingContext
from harness.training.config import OnPolicyConfig
from harness.training.updates.rule import UpdateRule, Weights
from harness.weights.adapter import restore, write_adapter


class ModelWriter:
    """Writes the model and the tokenizer of a trainer. Every call is collective: all ranks must make it.

    rules, weights: the update rules and the parameters that they are attached to.
    """

    def __init__(
        self,
        trainer: Any,
        tokenizer: Any,
        context: TrainingContext,
        config: OnPolicyConfig,
        *,
        rules: Sequence[UpdateRule] = (),
        weights: Weights,
    ) -> None:
        self._trainer = trainer
        self._tokenizer = tokenizer
        self._context = context
        self._lora = config.lora
        self._dtype = config.dtype
        self._finishing = [rule for rule in rules if type(rule).finish is not UpdateRule.finish]
        self._weights = weights

    def write_output(self) -> None:
        """Ends the training for the update rules, and writes the trained model to the context's output.

        With `output: full`, an adapter is merged in the same way as the store merges adapters, so both give the same
        model.
        """
        self._finish()
        whole = self._context.whole or (self._lora is not None and self._lora.output == "full")
        self._write(self._context.output, whole=whole)

    def write_state(self, folder: Path) -> None:
        """Writes the model that the training would leave now to `folder`, which is replaced if it exists: as an adapter
        if one is trained, unless the context asks for full models. Leaves the weights as they are, and draws no random
        numbers that the training would miss."""
        temporary = folder.with_name(f"{folder.name}.tmp")
        if rank() == 0:
            shutil.rmtree(temporary, ignore_errors=True)  # of a killed process
            temporary.mkdir(parents=True)
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices=devices), self._finished():
            self._write(temporary, whole=self._context.whole)
        if rank() == 0:
            for path in temporary.iterdir():
                sync(path)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)

    def _finish(self) -> None:
        for rule in self._finishing:
            rule.finish(self._weights)

    @contextmanager
    def _finished(self) -> Iterator[None]:
        """Has the weights as they are at the end of a training, which rules may set, and then as before."""
        before = {name: weight.detach().clone() for name, weight in self._weights.items()} if self._finishing else {}
        self._finish()
        yield
        with torch.no_grad():
            for name, value in before.items():
                self._weights[name].copy_(value)

    def _write(self, folder: Path, *, whole: bool) -> None:
        """Writes on the main process, after all ranks have sent their part of the weights. whole: merge an adapter."""
        accelerator = self._trainer.accelerator
        weights = accelerator.get_state_dict(self._trainer.model_wrapped) if world_size() > 1 else None
        if accelerator.is_main_process:
            model = accelerator.unwrap_model(self._trainer.model)
            if self._lora is None:
                model.save_pretrained(folder, state_dict=weights)
                self._tokenizer.save_pretrained(folder)
            else:
                adapter = self._context.scratch / "adapter" if whole else folder
                write_adapter(model, adapter, dtype=self._dtype, weights=weights)
                self._tokenizer.save_pretrained(adapter)
                if whole:
                    restore(self._context.checkpoint, adapter, folder)
        accelerator.wait_for_everyone()  # the model must be complete before any rank continues


class States(TrainerCallback):  # type: ignore[misc]  # transformers is read without types
    """Writes the model after some of the optimizer steps. folders: by number of optimizer steps."""

    def __init__(self, folders: Mapping[int, Path], write: Callable[[Path], None]) -> None:
        self._folders = folders
        self._write = write

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step in self._folders:
            self._write(self._folders[state.global_step])
