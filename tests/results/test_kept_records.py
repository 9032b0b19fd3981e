"""The results that this repository keeps: none contradicts itself, tables are made of their records, and every interval
is what scipy computes from the numbers by seed."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from harness.report.tables.probes import probe_page
from harness.results import probe_tables as probe_record
from harness.results.check import inconsistencies
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard
from harness.results.probe_tables import ProbeRecord

KEPT = Path(__file__).parents[2] / "leaderboards"
LEADERBOARDS = sorted(path.relative_to(KEPT).as_posix() for path in KEPT.rglob("leaderboard.json"))
PROBES = sorted(path.relative_to(KEPT).as_posix() for path in KEPT.rglob(probe_record.FILE))


def test_there_are_records():
    assert "lab/leaderboard.json" in LEADERBOARDS
    assert "lab/mechanism/probes.json" in PROBES


@pytest.mark.parametrize("path", LEADERBOARDS)
def test_a_leaderboard_agrees_with_itself(path):
    # `harness leaderboard rebuild FOLDER` computes it anew.
    assert inconsistencies(Leaderboard.read(KEPT / path, upgrade=False)) == []


@pytest.mark.parametrize("path", PROBES)
def test_probes_agree_with_themselves_and_their_tables(path):
    record = ProbeRecord.read(KEPT / path, upgrade=False)
    assert probe_record.inconsistencies(record) == []
    # `harness show FOLDER --probes --markdown` makes it again.
    assert (KEPT / path).with_name("probes.md").read_text(encoding="utf-8") == probe_page(record)


def close(expected):
    return pytest.approx(tuple(expected), rel=1e-6, abs=1e-9)


def assert_students_t(one: Estimate, where: str) -> None:
    known = [value for value in one.per_seed if value is not None]
    if len(known) > 1 and np.ptp(known) > 1e-9 * np.abs(known).max():
        assert one.interval == "seeds", where
        assert one.ci95 == close(scipy.stats.t.interval(0.95, len(known) - 1, np.mean(known), scipy.stats.sem(known)))
    else:  # one checkpoint, or seeds that agree: never from a spread of 0
        assert one.interval in (None, "wilson", "sampling"), where
        assert one.ci95 is None or one.ci95[0] < one.ci95[1], where


def assert_over_items(one: Estimate, where: str) -> None:
    """A column's score of one checkpoint: Wilson's interval, or Student's t of the items' standard error."""
    value, stderr, n = one.per_seed[0], one.stderr[0], one.n
    if one.interval == "wilson":
        expected = scipy.stats.binomtest(round(value / 100 * n), n).proportion_ci(method="wilson")
        assert one.ci95 == close((100 * expected.low, 100 * expected.high)), where
    else:
        assert one.ci95 == close(scipy.stats.t.interval(0.95, n - 1, value, stderr)), where


@pytest.mark.parametrize("path", LEADERBOARDS)
def test_every_interval_of_a_leaderboard_is_scipys(path):
    over_items = 0
    for row in Leaderboard.read(KEPT / path, upgrade=False).rows:
        columns = {f"{row.method} {name}": one for name, one in row.scores.items()}
        columns |= {f"{row.method} {s.step} {name}": one for s in row.trajectory for name, one in s.scores.items()}
        others = [row.average, row.forgetting, row.backward_transfer, *row.forgetting_by_domain.values()]
        others += [step.average for step in row.trajectory]
        for one in row.recoveries:
            others += [one.peak, one.damaged, one.recovered, one.damage, one.retention_damaged]
            others += [one.retention_recovered, one.collateral, one.net]
        for where, one in [*columns.items(), *((row.method, one) for one in others)]:
            assert_students_t(one, where)
        for where, one in columns.items():
            if one.interval in ("wilson", "sampling"):
                assert_over_items(one, where)
                over_items += 1
    assert over_items > 0


@pytest.mark.parametrize("path", LEADERBOARDS)
def test_every_recovery_ratio_has_fiellers_interval(path):
    """At its ends, Student's t of recovered − damaged − ratio · (peak − damaged) just reaches 0. There are no ends if
    Student's t of the damage does not exclude 0."""
    for row in Leaderboard.read(KEPT / path, upgrade=False).rows:
        for one in row.recoveries:
            if one.damage.ci95[0] <= 0 <= one.damage.ci95[1]:
                assert (one.ratio.interval, one.ratio.ci95) == ("unbounded", None)
                continue
            assert one.ratio.interval == "fieller"
            peak, damaged, recovered = (np.array(e.per_seed) for e in (one.peak, one.damaged, one.recovered))
            for end in one.ratio.ci95:
                contrast = (recovered - damaged) - end * (peak - damaged)
                bound = scipy.stats.t.ppf(0.975, len(contrast) - 1) * scipy.stats.sem(contrast)
                assert abs(contrast.mean()) == pytest.approx(bound, rel=1e-6)


@pytest.mark.parametrize("path", PROBES)
def test_every_interval_of_probes_is_scipys(path):
    for table in ProbeRecord.read(KEPT / path, upgrade=False).tables:
        for row in table.means:
            for column, one in row.values.items():
                assert_students_t(one, f"{table.probe} {row.of} {column}")
