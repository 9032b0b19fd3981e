"""The contract of `harness_probes`."""

from itertools import count

import pytest
from shipped_offers import offers

from harness import PluginError, Probe, ProbeSpec

NUMBERS = count()


def small(measure) -> ProbeSpec:
    """A probe made of a function of the context."""
    made = type("Small", (Probe,), {"__init__": lambda self, c: None, "measure": lambda self, c: measure(c)})
    return ProbeSpec(name="small", summary="A small probe", load=made)


@offers("probe")
def test_shipped_probes_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


def test_a_small_probe_keeps_it(check_small):
    check_small(small(lambda context: [{"step": entry.step, "label": entry.label} for entry in context.lineage]))


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda context: [], "no row"),
        (lambda context: [{"step": 0}, {"steps": 1}], "differ in their keys"),
        (lambda context: [{"folder": context.scratch}], "not JSON"),
        (lambda context: [{"number": next(NUMBERS)}], "two measurements"),
    ],
)
def test_what_breaks_it(check_small, measure, message):
    with pytest.raises(PluginError) as raised:
        check_small(small(measure))
    assert message in raised.value.message
