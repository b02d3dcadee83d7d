import numpy as np
import pytest

from analysis import exposure
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(
    participants=60,
    pairs=40,
    tasks=("prefer_pair",),
    exposures_ms=(100, 400, 1600),
    exposure_effect=0.8,
)


@pytest.fixture(scope="module")
def found():
    return exposure.estimate(sample_of(TRUTH), PLAN)


def test_the_effect_is_shortest_minus_longest(found):
    row = only(found, "log_odds_difference")

    assert row.estimate == pytest.approx(0.8, abs=0.25)
    assert found.tests[0].row == row
    assert only(found, "share_difference").method == "cluster_robust_two_way"


def test_the_share_is_given_at_each_exposure(found):
    shares = [
        only(found, "ai_choice_share", subset=f"exposure_ms={ms}").estimate
        for ms in (100, 400, 1600)
    ]

    assert shares == sorted(shares, reverse=True)


def test_the_design_codes_exposures_against_the_longest():
    sample = sample_of(TRUTH).main

    levels, columns, slopes = exposure.design(sample["exposure_ms"])

    assert levels == [100, 400, 1600]
    assert list(columns) == ["intercept", "shortest", "exposure_400"]
    places = [slopes["participant"][sample["exposure_ms"] == ms] for ms in levels]
    assert [set(np.round(place, 9)) for place in places] == [{1.0}, {0.5}, {0.0}]


def test_terciles_of_the_response_time_are_only_described(found):
    rows = [
        row
        for name in exposure.TERCILES
        for row in rows_of(found, "ai_choice_share", subset=f"rt_tercile={name}")
    ]

    assert [row.method for row in rows] == ["participant_mean"] * 3
    assert sum(row.n for row in rows) == 60 * 40


def test_terciles_agree_with_a_naive_loop(found):
    main = sample_of(TRUTH).main
    people = []
    for _person, mine in main.groupby("participant_id", observed=True):
        fast = mine.sort_values("rt_ms", kind="stable").iloc[: len(mine) // 3]
        people.append(fast["chose_ai"].mean())

    row = only(found, "ai_choice_share", subset="rt_tercile=fast")

    assert row.estimate == pytest.approx(np.mean(people))


def test_one_exposure_is_not_tested():
    table = simulate(TRUTH).assign(exposure_ms=400)

    found = exposure.estimate(sample_of(table), PLAN)

    assert [str(test.why_not) for test in found.tests] == ["The exposure was not varied."]


def test_no_exposure_says_nothing_of_it():
    found = exposure.estimate(sample_of(Truth(participants=5, tasks=("prefer_pair",))), PLAN)

    assert (found.tests, found.pictures) == ([], [])
