"""The fields of TRL's configs that do not change results and are therefore not part of keys."""

from __future__ import annotations

LOGGING = frozenset(
    {
        "disable_tqdm",
        "log_completions",
        "log_completions_hub_repo",
        "log_level",
        "log_level_replica",
        "log_multimodal",
        "log_on_each_node",
        "log_unique_prompts",
        "logging_dir",
        "logging_first_step",
        "num_completions_to_print",
        "project",
        "report_to",
        "run_name",
        "skip_memory_metrics",
        "trackio_bucket_id",
        "trackio_space_id",
        "trackio_static_space_id",
    }
)
"""Logging. `logging_nan_inf_filter` is not included, because it changes the numbers."""

SAVING = frozenset(
    {
        "enable_jit_checkpoint",
        "hub_always_push",
        "hub_model_id",
        "hub_private_repo",
        "hub_revision",
        "hub_strategy",
        "hub_token",
        "push_to_hub",
        "save_on_each_node",
        "save_total_limit",
    }
)
"""Saving of states. `save_only_model` is not included, because a resumed training would lack the optimizer state."""

MACHINE = frozenset(
    {
        "dataloader_multiprocessing_context",
        "dataloader_num_workers",
        "dataloader_persistent_workers",
        "dataloader_pin_memory",
        "dataloader_prefetch_factor",
        "ddp_timeout",
        "torch_empty_cache_steps",
        "use_cpu",
        "vllm_group_port",
        "vllm_server_base_url",
        "vllm_server_host",
        "vllm_server_port",
        "vllm_server_timeout",
    }
)
"""Hardware use and timeouts. Data loading is included, because the sampler alone determines the order of rows."""
