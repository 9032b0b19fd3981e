from harness_NAME import plain_text

from harness.testing import sample_leaderboard


def test_columns_are_aligned_and_missing_scores_marked():
    header, *rows = plain_text(sample_leaderboard(), missing="none").splitlines()
    assert header.split() == ["method", "code", "math"]
    assert rows[1].split() == ["sequential", "60.50", "none"]
    assert {row.index("6") for row in rows} == {header.index("code")}
