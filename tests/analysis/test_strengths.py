import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.plan import Plan
from analysis.strengths import strengths
from tests.analysis.simulated import typed

TERMS = ("bradley_terry", "rank")
TRUE = {"photograph": 0.6, "g1": 0.1, "g2": -0.7}


def comparisons(n=3000, ties=0.0):
    """Three competitors of known strength, two AI images among them."""
    rng = np.random.default_rng(2)
    names = list(TRUE)
    sides = np.array([rng.permutation(3)[:2] for _ in range(n)])
    chance = expit(np.array([TRUE[names[a]] - TRUE[names[b]] for a, b in sides]))
    response = np.where(rng.random(n) < chance, "left", "right").astype(object)
    response[rng.random(n) < ties] = "tie"
    table = {"participant_id": [f"p{k % 40}" for k in range(n)], "task": "prefer_pair"}
    table["pair_id"] = [f"k{k % 60}" for k in range(n)]
    table["response"] = response
    for column, side in (("left", sides[:, 0]), ("right", sides[:, 1])):
        made_by = [names[k] for k in side]
        table[f"{column}_origin"] = ["real" if name == "photograph" else "ai" for name in made_by]
        table[f"{column}_generator"] = [None if name == "photograph" else name for name in made_by]
    return typed(pd.DataFrame(table))


@pytest.mark.parametrize("ties", [0.0, 0.2])
def test_strengths_are_found_again_with_and_without_ties(ties):
    found = strengths("generators", comparisons(ties=ties), Plan())
    results = found.results

    names = ["generator=g1", "generator=g2", "generator=photograph"]
    by_term = {term: [row for row in results if row.term == term] for term in TERMS}
    for rows in by_term.values():
        assert [row.subset for row in rows] == names
        assert {row.method for row in rows} == {"cluster_robust_two_way"}
    estimates = [row.estimate for row in by_term["bradley_terry"]]
    assert estimates == pytest.approx([0.1, -0.7, 0.6], abs=0.12)
    assert [(row.estimate, row.low, row.high) for row in by_term["rank"]] == [
        (2, 2, 2),
        (3, 3, 3),
        (1, 1, 1),
    ]
    assert found.warnings == []
    (joint,) = found.unclaimed
    assert (joint.term, joint.subset) == ("joint_test", "all")
    assert joint.p < 1e-6
    assert [str(line.label) for line in found.pictures[0].lines] == [
        "the photograph: rank 1",
        "g1: rank 2",
        "g2: rank 3",
    ]


def test_two_competitors_are_not_ranked():
    trials = comparisons()
    two = trials[(trials["left_generator"] != "g2") & (trials["right_generator"] != "g2")]

    assert strengths("generators", two, Plan()).results == []


def test_competitors_that_never_lose_are_named():
    trials = comparisons()
    real_left = trials["left_origin"] == "real"
    real_right = trials["right_origin"] == "real"
    trials["response"] = trials["response"].astype(object)
    trials.loc[real_left, "response"] = "left"
    trials.loc[real_right, "response"] = "right"

    found = strengths("generators", trials, Plan())

    (warning,) = found.warnings
    assert found.results == []
    assert str(warning).startswith("The generators could not be ranked")
