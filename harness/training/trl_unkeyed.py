"""The fields of TRL's configs whose values change no result, so that no key covers them."""

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
"""Where numbers and texts are shown. `logging_nan_inf_filter` is not here: it changes the numbers."""

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
"""Where the states of a training are saved. `save_only_model` is not here: a resumed training lacks the optimizer."""

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
"""Where and how patiently the same work is done. The sampler fixes the order of the rows, whoever loads them."""
