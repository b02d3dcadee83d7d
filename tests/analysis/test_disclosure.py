import numpy as np
import pytest

from analysis import disclosure
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, sample_of, typed

PLAN = Plan()
TRUTH = Truth(
    participants=60,
    pairs=40,
    tasks=("prefer_pair", "rate_single"),
    labels=True,
    label_effect=-0.5,
)


@pytest.fixture(scope="module")
def found():
    return disclosure.estimate(sample_of(TRUTH), PLAN)


def test_the_effect_of_a_label_is_found_in_both_tasks(found):
    pairs = only(found, "label_effect", task="prefer_pair")
    ratings = only(found, "label_effect", task="rate_single", method="lmm")

    assert pairs.estimate == pytest.approx(-0.5, abs=0.1)
    assert ratings.estimate < -0.25
    assert [test.claim for test in found.tests] == [
        "disclosure_effect",
        "disclosure_effect:rate_single",
    ]


def test_each_task_names_its_unit(found):
    assert [str(test.unit) for test in found.tests] == ["log-odds", "standard deviations"]


def test_a_false_label_on_a_photograph_says_ai():
    table = simulate(TRUTH)
    rows = typed(table[table["task"] == "rate_single"])

    label = disclosure.called_ai(rows, "rate_single")

    for origin, shown, expected in (
        ("ai", "true_labels", 0.5),
        ("ai", "false_labels", -0.5),
        ("real", "true_labels", -0.5),
        ("real", "false_labels", 0.5),
    ):
        chosen = (rows["origin"] == origin) & (rows["disclosure"] == shown)
        assert np.unique(label[chosen]).tolist() == [expected]


def test_true_labels_alone_are_not_tested():
    table = simulate(TRUTH).assign(disclosure="true_labels")

    found = disclosure.estimate(sample_of(table), PLAN)

    assert {str(test.why_not) for test in found.tests} == {
        "It needs both labels on images of the same origin: true ones and false ones."
    }
    assert found.results == []


def test_hidden_labels_say_nothing():
    table = simulate(TRUTH).assign(disclosure="hidden")

    assert disclosure.estimate(sample_of(table), PLAN).tests == []
