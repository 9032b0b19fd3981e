"""What a step's report says in every run alike."""

MEASURED = {"reward_seconds", "tokens_per_second"}


def repeatable(report):
    """Returns the report without wall times and rates, which differ between runs."""
    return {name: value for name, value in report.items() if name not in MEASURED}
