from harness_NAME import spread

from harness import ScoreMatrix


def test_the_last_step_counts_unless_the_first_is_asked_for():
    scores = ScoreMatrix(
        domains=("code", "math"),
        scores=({"code": 10.0, "math": 20.0}, {"code": 70.0, "math": 30.0}),
        trained=((), ("code",)),
        recovered=(None, None),
    )
    assert spread(scores) == 40
    assert spread(scores, initial=True) == 10
