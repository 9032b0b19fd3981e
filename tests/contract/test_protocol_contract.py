"""The contract of `harness_protocols`."""

import pytest
from shipped_offers import SHIPPED, offers

from harness import HarnessError, ProtocolSpec
from harness.protocol import find_protocol


@offers("protocol")
def test_shipped_protocols_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


@offers("protocol")
def test_shipped_protocols_are_found_by_their_name(offer):
    assert find_protocol(offer.name, SHIPPED) == offer.spec.path


def test_a_protocol_with_faults_breaks_it(check_small, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("schema: 1\nname: wrong\nmethods: {one: [nothing]}\n")
    with pytest.raises(HarnessError, match="nothing"):
        check_small(ProtocolSpec(name="wrong", summary="Wrong", path=path))
