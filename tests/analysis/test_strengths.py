import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.factors import crossed
from analysis.plan import Plan
from analysis.ranking import rank
from analysis.strengths import FewPairs, competitors, fewest_pairs, strengths
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


def against_photographs(generators, pairs, people=40, preference=0.0):
    """Generators that are all alike, each pair shown to everybody, pairs and people differing."""
    rng = np.random.default_rng(11)
    person, pair = np.repeat(np.arange(people), pairs), np.tile(np.arange(pairs), people)
    eta = preference + rng.normal(0, 0.4, people)[person] + rng.normal(0, 0.4, pairs)[pair]
    table = {
        "participant_id": [f"p{k}" for k in person],
        "task": "prefer_pair",
        "pair_id": [f"k{k}" for k in pair],
        "left_origin": "ai",
        "right_origin": "real",
        "left_generator": [f"g{k % generators}" for k in pair],
        "response": np.where(rng.random(len(eta)) < expit(eta), "left", "right"),
    }
    return typed(pd.DataFrame(table))


def test_the_joint_test_is_about_the_generators_and_not_about_photographs():
    """Photographs lose most of the time, against all generators alike."""
    found = strengths("generators", against_photographs(3, 60, preference=1.5), Plan())

    assert found.unclaimed[0].p > 0.05
    photograph = [row for row in found.results if row.subset == "generator=photograph"]
    assert photograph[0].high < 0


def test_few_pairs_of_a_generator_leave_ranks_open_and_the_joint_test_out():
    found = strengths("generators", against_photographs(7, 21), Plan())

    ranks = [row for row in found.results if row.term == "rank"]
    assert {(row.low, row.high) for row in ranks} == {(1, 8)}
    assert found.unclaimed[0].p is None
    assert [str(text) for text in found.warnings] == [
        "All comparisons taken together, whether the generators differ was not tested: the "
        "cluster-robust joint test needs at least 15 pairs of each and enough participants. Where "
        "they were compared with photographs, the mixed model's test stands."
    ]


def test_a_generator_in_a_single_pair_is_not_told_from_it():
    found = strengths("generators", against_photographs(4, 7), Plan())

    assert found.results == []
    assert str(found.warnings[0]).endswith("there generator and image are the same thing.")


def test_few_pairs_widen_intervals_by_their_number():
    trials = against_photographs(4, 24)
    factors = crossed(trials)
    left, right = (competitors(trials, side) for side in ("left", "right"))
    won = np.where(trials["response"] == "left", 1, -1)
    plain = rank(left.to_numpy(str), right.to_numpy(str), won, factors)

    few = FewPairs.of(plain, factors, fewest_pairs(factors, left, right))

    assert (few.fewest, few.ranking.df, few.joint_df) == (6, 5, 20)
    assert few.ranking.cov == pytest.approx(plain.cov * 24 / 20)


def test_without_pairs_the_strengths_stay_as_they_are():
    trials = against_photographs(3, 30)
    left, right = (competitors(trials, side) for side in ("left", "right"))
    people = {"participant": crossed(trials)["participant"]}
    won = np.where(trials["response"] == "left", 1, -1)
    plain = rank(left.to_numpy(str), right.to_numpy(str), won, people)

    few = FewPairs.of(plain, people, fewest_pairs(people, left, right))

    assert few.ranking is plain
    assert few.joint_df == 39
