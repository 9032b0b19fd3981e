"""The results that this repository keeps: none contradicts itself, and tables of probes are made of their record."""

from pathlib import Path

import pytest

from harness import probe_record
from harness.leaderboard import Leaderboard, inconsistencies
from harness.probe_record import ProbeRecord
from harness.tables.probes import probe_page

KEPT = Path(__file__).parents[2] / "leaderboards"
LEADERBOARDS = sorted(path.relative_to(KEPT).as_posix() for path in KEPT.rglob("leaderboard.json"))
PROBES = sorted(path.relative_to(KEPT).as_posix() for path in KEPT.rglob(probe_record.FILE))


def test_there_are_records():
    assert "lab/leaderboard.json" in LEADERBOARDS
    assert "lab/mechanism/probes.json" in PROBES


@pytest.mark.parametrize("path", LEADERBOARDS)
def test_a_leaderboard_agrees_with_itself(path):
    assert inconsistencies(Leaderboard.read(KEPT / path)) == []


@pytest.mark.parametrize("path", PROBES)
def test_probes_agree_with_themselves_and_their_tables(path):
    record = ProbeRecord.read(KEPT / path)
    assert probe_record.inconsistencies(record) == []
    # `harness show FOLDER --probes --markdown` makes it again.
    assert (KEPT / path).with_name("probes.md").read_text(encoding="utf-8") == probe_page(record)
