from harness_NAME import brevity


def test_long_completions_get_less():
    assert brevity("seven") == 1
    assert brevity("seven", characters=1) == 0.2
