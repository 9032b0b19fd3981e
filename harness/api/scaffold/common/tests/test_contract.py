import harness_NAME


def test_the_plugin_keeps_the_contract_of_its_kind(check_plugin):
    check_plugin(harness_NAME)
