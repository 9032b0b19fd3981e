"""The contract of `harness_observers`."""

import pytest
from recording_observer import Recording, RecordingConfig
from shipped_offers import offers

from harness import ObserverSpec, PluginError


@offers("observer")
def test_shipped_observers_keep_the_contract(offer, check_shipped, monkeypatch, tmp_path):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    check_shipped(offer)


def test_an_observer_that_raises_breaks_it(check_small):
    spec = ObserverSpec(name="recording", summary="Keeps points", load=Recording, config=RecordingConfig)
    check_small(spec)
    with pytest.raises(PluginError, match="the observer raised RuntimeError: no room"):
        check_small(spec, fails_at=1)
