"""The scratch folder of a step in several processes, which all ranks have to share."""

from pathlib import Path

import pytest

from harness.execution import launching


@pytest.fixture(autouse=True)
def ranks(monkeypatch):
    """A second rank, whose first told its own folder."""
    monkeypatch.setattr("harness.training.processes.gathered", lambda own: ["/store/of/first", own])
    monkeypatch.setattr("harness.training.processes.begun", lambda: None)


def test_ranks_of_several_machines_work_in_the_folder_of_the_first(monkeypatch):
    monkeypatch.setenv(launching.SCRATCH_VARIABLE, "/tmp/own")
    assert launching.step_scratch({"num_machines": 2, "num_processes": 2}) == Path("/store/of/first")


@pytest.mark.parametrize("config", [{"num_processes": 2}, {"num_machines": 1}, None])
def test_ranks_of_one_machine_have_one_folder_anyway(monkeypatch, config):
    monkeypatch.setenv(launching.SCRATCH_VARIABLE, "/tmp/own")
    assert launching.step_scratch(config) == Path("/tmp/own")


def test_a_process_that_is_no_rank_has_none(monkeypatch):
    monkeypatch.delenv(launching.SCRATCH_VARIABLE, raising=False)
    assert launching.step_scratch({"num_machines": 2}) is None
