"""`harness leaderboard site`: what it prints, and where it writes."""

from site_world import keep_run
from typer.testing import CliRunner

from harness.cli import app


def test_the_command_writes_the_site_and_names_its_first_page(tmp_path):
    keep_run(tmp_path / "kept/a", tmp_path / "runs")
    result = CliRunner().invoke(
        app, ["leaderboard", "site", str(tmp_path / "kept"), "-o", str(tmp_path / "site"), "--no-reports"]
    )
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first.startswith("1 record in 1 table, 12 files, ")
    assert second == str(tmp_path / "site/index.html") and (tmp_path / "site/index.html").is_file()
