"""Predictors that are fitted to some seeds: they learn what is there to learn, and see nothing that they predict."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from harness.errors import UsageError
from harness.prediction.check import CheckedPair, agreed
from harness.prediction.fitted import fitted_seeds, with_fitted
from harness.prediction.matrix import TrainingPace
from harness.prediction.observed import ObservedPair
from harness.prediction.predictors import (
    BOOSTED,
    BOOSTED_NEW,
    COMBINED,
    COMBINED_PILOT,
    COMPLETION,
    INPUTS,
    REFERENCE,
    SAME_PAIR,
    Effort,
)

EFFORT = Effort(
    pace=TrainingPace(learning_rate=1e-3, steps=60, completions_per_step=256), completions=512, domains=4, pilot=3
)
NAMES = ("code", "math", "qa", "cw")
SEEDS = range(6)
DRAWN = (*INPUTS[BOOSTED], "pilot, reweighted")


def checked(damage, seeds=SEEDS):
    """Returns every ordered pair for every seed. damage: of (seed, trained, harmed, the random inputs)."""
    random = np.random.default_rng(0)
    pairs = []
    for seed in seeds:
        for trained, harmed in permutations(NAMES, 2):
            drawn = dict(zip(DRAWN, random.normal(size=len(DRAWN)).tolist(), strict=True))
            pair = ObservedPair(
                seed=seed,
                trained=trained,
                harmed=harmed,
                damage=damage(seed, trained, harmed, drawn),
                before="b",
                after=f"{trained}-{seed}",
                from_base=True,
                place=f"{trained}, step 1",
            )
            pairs.append(CheckedPair(pair=pair, predicted=drawn, effort=EFFORT))
    return pairs


def spearman(pairs, name):
    return next(one.spearman for one in agreed(pairs) if one.predictor == name)


def test_a_regression_finds_the_inputs_that_the_damage_depends_on():
    held_out = with_fitted(checked(lambda *of: 3 * of[3][REFERENCE] - 2 * of[3]["pilot, reweighted"]), (0, 1, 2))
    assert {one.pair.seed for one in held_out} == {3, 4, 5}
    assert spearman(held_out, COMBINED_PILOT) > 0.99 > spearman(held_out, COMBINED) > spearman(held_out, SAME_PAIR)


def test_trees_find_what_is_not_linear_in_the_inputs():
    held_out = with_fitted(checked(lambda *of: abs(of[3][REFERENCE]), range(12)), tuple(range(8)))
    assert min(spearman(held_out, BOOSTED), spearman(held_out, BOOSTED_NEW)) > 0.9
    assert spearman(held_out, COMBINED) < 0.5


def test_trees_for_new_pairs_are_fitted_without_the_pair_that_they_predict():
    pairs = checked(lambda seed, trained, harmed, drawn: drawn[REFERENCE])

    def harms(one):
        return one.pair.trained == "code" and one.pair.harmed == "math"

    changed = [
        replace(one, pair=replace(one.pair, damage=one.pair.damage + 50))
        if harms(one) and one.pair.seed in (0, 1, 2)
        else one
        for one in pairs
    ]
    before, after = with_fitted(pairs, (0, 1, 2)), with_fitted(changed, (0, 1, 2))
    for one, other in zip(before, after, strict=True):
        assert (one.predicted[BOOSTED_NEW] == other.predicted[BOOSTED_NEW]) == harms(one)
        assert one.predicted[BOOSTED] != other.predicted[BOOSTED]


def test_trees_predict_the_mean_of_too_few_pairs():
    pairs = [
        one for one in checked(lambda seed, *_: float(seed)) if (one.pair.trained, one.pair.harmed) == ("qa", "cw")
    ]
    for one in with_fitted(pairs, (0, 1, 2)):
        assert (one.predicted[BOOSTED], one.predicted[BOOSTED_NEW]) == (1.0, 0.0)


def test_the_damage_of_the_same_pair_is_its_mean_over_the_fitted_seeds():
    held_out = with_fitted(checked(lambda seed, trained, harmed, _: 10 * NAMES.index(harmed) + seed), (0, 2))
    assert {one.predicted[SAME_PAIR] for one in held_out if one.pair.harmed == "qa"} == {21.0}


def test_a_matrix_completes_a_training_from_what_it_did_to_the_other_domains():
    """In each training of a seed, all other domains are harmed by as much, which no other predictor can know."""
    size = {(seed, name): (seed * 7 + place * 5) % 11 for seed in SEEDS for place, name in enumerate(NAMES)}
    held_out = with_fitted(checked(lambda seed, trained, harmed, _: size[seed, trained]), (0, 1, 2, 3))
    errors = {
        name: np.mean([abs(one.predicted[name] - one.pair.damage) for one in held_out])
        for name in (COMPLETION, SAME_PAIR)
    }
    assert errors[COMPLETION] < 0.6 * errors[SAME_PAIR]


@pytest.mark.parametrize("name", [SAME_PAIR, COMPLETION, COMBINED, COMBINED_PILOT, BOOSTED, BOOSTED_NEW])
def test_no_fitted_predictor_sees_the_damage_that_it_predicts(name):
    pairs = checked(lambda seed, trained, harmed, drawn: drawn[REFERENCE] + NAMES.index(harmed))
    fit = (0, 1, 2)
    hidden = next(place for place, one in enumerate(pairs) if one.pair.seed == 4)
    changed = list(pairs)
    changed[hidden] = replace(pairs[hidden], pair=replace(pairs[hidden].pair, damage=1e3))
    after = pairs[hidden].pair.after
    for one, other in zip(with_fitted(pairs, fit), with_fitted(changed, fit), strict=True):
        sees = name == COMPLETION and one.pair.after == after and one.pair.harmed != pairs[hidden].pair.harmed
        assert (one.predicted[name] != other.predicted[name]) == sees


def test_a_pair_that_no_fitted_seed_has_gets_the_mean_of_all():
    pairs = [
        one
        for one in checked(lambda seed, trained, harmed, _: NAMES.index(trained))
        if one.pair.seed > 2 or one.pair.trained != "cw"
    ]
    new = [one for one in with_fitted(pairs, (0, 1, 2)) if one.pair.trained == "cw"]
    assert {one.predicted[SAME_PAIR] for one in new} == {1.0}
    assert all(np.isfinite(one.predicted[COMPLETION]) for one in new)


def test_without_a_pilot_only_the_predictors_before_training_are_combined():
    bare = [
        replace(one, predicted={name: one.predicted[name] for name in INPUTS[COMBINED]})
        for one in checked(lambda *of: of[3][REFERENCE])
    ]
    names = set(with_fitted(bare, (0, 1))[0].predicted)
    assert COMBINED in names and COMBINED_PILOT not in names


def test_half_of_the_seeds_are_fitted_to_unless_others_are_given():
    assert fitted_seeds(None, SEEDS) == fitted_seeds(None, range(7)) == (0, 1, 2)
    assert fitted_seeds((5, 4, 9), SEEDS) == (4, 5)
    assert fitted_seeds((), SEEDS) == fitted_seeds(None, range(3)) == fitted_seeds((0, 1), ()) == ()
    for wrong in ((0,), tuple(SEEDS)):
        with pytest.raises(UsageError) as raised:
            fitted_seeds(wrong, SEEDS)
        assert raised.value.where == "--fit"


def test_costs_are_shares_of_the_completions_of_the_training():
    pairs = with_fitted(checked(lambda *of: of[3][REFERENCE]), (0, 1, 2))
    found = {one.predictor: (one.known, one.cost) for one in agreed(pairs)}
    sampled = 512 / (60 * 256)
    assert found[REFERENCE] == ("before", pytest.approx(4 * sampled))
    assert found["pilot, reweighted"] == ("during", pytest.approx(3 * sampled + 3 / 60))
    assert found[COMBINED_PILOT] == ("during", pytest.approx(4 * sampled + 3 / 60))
    assert found[SAME_PAIR] == ("before", None) and found[COMPLETION] == ("after", None)
