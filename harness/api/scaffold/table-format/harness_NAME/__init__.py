"""The table format NAME."""

import harness


@harness.table_format(name="NAME", extension="txt")
def plain_text(leaderboard, *, missing: str = "-") -> str:
    """Mean scores in columns of plain text, one row per method."""
    rows = [["method", *leaderboard.columns]]
    for row in leaderboard.rows:
        means = [row.scores[column].mean if column in row.scores else None for column in leaderboard.columns]
        rows.append([row.method, *(missing if mean is None else f"{mean:.2f}" for mean in means)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
