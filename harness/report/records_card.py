"""The card of a data set with kept records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.report.tables.markdown import escape
from harness.results.leaderboard import Leaderboard


def records_card(repository: str, records: Mapping[str, Leaderboard], others: Sequence[str]) -> str:
    """Returns a README.md with the metadata of the hub.

    records: by folder in the repository. others: folders of further records that it already has.
    """
    from huggingface_hub import DatasetCardData

    folders = sorted({*records, *others})
    data = DatasetCardData(
        pretty_name=f"Leaderboards of {repository}",
        tags=["reinforcement-learning", "multi-domain-rl", "mdrl-harness", "leaderboard"],
        configs=[
            {"config_name": folder.replace("/", "-"), "data_files": f"{folder}/scores.parquet"} for folder in folders
        ],
    )
    rows = [_row(folder, record) for folder, record in sorted(records.items())]
    rows += [f"| [{escape(folder)}]({folder}) | | | | | |" for folder in sorted(set(others) - set(records))]
    return "\n".join(
        [
            f"---\n{data.to_yaml()}\n---",
            f"# {escape(repository)}",
            "",
            "Records of mdrl-harness, which measures interference and recovery in multi-domain RL post-training:",
            "scores of every method after every step and seed, with intervals, costs, settings, and scored answers.",
            "",
            "| record | protocol | base model | methods | domains | seeds |",
            "| :-- | :-- | :-- | --: | --: | --: |",
            *rows,
            "",
            "## Use",
            "",
            "`scores.parquet` has one row per method, seed, step, domain, task and metric. Every number can be checked",
            "without a model:",
            "",
            "```sh",
            f"hf download {repository} --repo-type dataset --local-dir records",
            *(f"harness leaderboard verify records/{folder}" for folder in folders),
            "```",
            "",
        ]
    )


def _config(folder: str) -> dict[str, str]:
    """Returns the part of the metadata from which the hub shows a record's score table."""
    return {"config_name": folder.replace("/", "-"), "data_files": f"{folder}/scores.parquet"}


def _row(folder: str, record: Leaderboard) -> str:
    methods = sum(not row.reference for row in record.rows)
    names = f"[{escape(folder)}]({folder}/leaderboard.md) | {escape(record.protocol)} | {escape(record.model)}"
    return f"| {names} | {methods} | {len(record.columns)} | {len(record.seeds)} |"
