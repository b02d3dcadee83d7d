from dataclasses import replace

import pytest

from analysis.claims import Test as ClaimTest
from analysis.claims import decide, judge
from analysis.estimate import Estimate
from analysis.plan import CLAIMS, Plan
from analysis.results import Scope
from analysis.texts import Message

TASKS = ("prefer_pair", "detect_pair", "rate_single", "detect_single")


def verdicts(tests, **plan):
    return {claim.id: claim.verdict for claim in judge(tests, Plan(**plan))}


def claim(name, value, se, **given):
    return ClaimTest(name, "real_vs_ai", Estimate(value, se), **given)


@pytest.mark.parametrize(
    ("kind", "differs", "upward", "equivalent", "expected"),
    [
        ("no difference", False, True, True, "supported"),
        ("no difference", True, True, True, "supported"),
        ("no difference", True, True, False, "refuted"),
        ("no difference", True, False, False, "refuted"),
        ("no difference", False, True, False, "undecided"),
        ("upward", True, True, False, "supported"),
        ("upward", True, True, True, "supported"),
        ("upward", True, False, False, "refuted"),
        ("upward", True, False, True, "refuted"),
        ("upward", False, True, True, "refuted"),
        ("upward", False, True, False, "undecided"),
        ("two-sided", True, False, False, "supported"),
        ("two-sided", True, True, True, "supported"),
        ("two-sided", False, True, True, "refuted"),
        ("two-sided", False, False, False, "undecided"),
        ("joint", True, True, False, "supported"),
        ("joint", False, True, False, "undecided"),
    ],
)
def test_decide_follows_the_contract(kind, differs, upward, equivalent, expected):
    found = decide(kind, differs=differs, upward=upward, equivalent=equivalent)

    assert found == expected


@pytest.mark.parametrize(
    ("value", "se", "expected"),
    [
        (0.51, 0.01, "supported"),
        (0.60, 0.01, "refuted"),
        (0.40, 0.01, "refuted"),
        (0.52, 0.03, "undecided"),
        (0.53, 0.008, "supported"),  # a difference, and smaller than the smallest of interest
    ],
)
def test_indistinguishable_is_judged_by_interval_and_region(value, se, expected):
    assert verdicts([claim("indistinguishable", value, se)])["indistinguishable"] == expected


@pytest.mark.parametrize(
    ("value", "se", "expected"),
    [
        (0.60, 0.01, "supported"),
        (0.40, 0.01, "refuted"),
        (0.505, 0.01, "refuted"),
        (0.52, 0.03, "undecided"),
    ],
)
def test_prefers_ai_is_judged_by_side_and_region(value, se, expected):
    assert verdicts([claim("prefers_ai", value, se)])["prefers_ai"] == expected


def test_a_small_effect_is_said_to_be_small():
    (found, *_) = judge([claim("prefers_ai", 0.53, 0.008)], Plan())

    assert found.verdict == "supported"
    assert "smaller than the smallest effect of interest" in str(found.statement)


def test_holm_holds_within_the_family():
    """Alone 0.04 would do; beside two others it does not."""
    alone = [claim("prefers_ai", 0.541, 0.02)]
    others = [claim("gut_reaction", 0.1, 0.1), claim("more_appealing", 0.05, 0.1)]

    assert verdicts(alone)["prefers_ai"] == "supported"
    assert verdicts([*alone, *others])["prefers_ai"] == "undecided"


def test_a_correction_that_decides_is_named():
    others = [claim("gut_reaction", 0.1, 0.1), claim("more_appealing", 0.05, 0.1)]

    (found, *_) = judge([claim("prefers_ai", 0.541, 0.02), *others], Plan())

    assert "but not after the correction for testing several claims" in str(found.statement)


def test_claims_outside_the_plan_do_not_weaken_those_in_it():
    others = [claim("gut_reaction", 0.1, 0.1), claim("more_appealing", 0.05, 0.1)]
    tests = [claim("prefers_ai", 0.541, 0.02), *others]

    assert verdicts(tests, confirmatory=("prefers_ai",))["prefers_ai"] == "supported"
    assert verdicts(tests, confirmatory=("prefers_ai:real_vs_ai",))["prefers_ai"] == "supported"
    other = ("prefers_ai:real_vs_enhanced",)
    assert verdicts(tests, confirmatory=other)["prefers_ai"] == "undecided"


def of_tasks(*p_values):
    """The generators by preference, by detection in pairs, and so on."""
    names = ["generator_gap", *(f"generator_gap:{task}" for task in TASKS[1:])]
    rows = [
        Scope("generators", task, "all", 9, 9, 9).result("joint_test", "glmm", None, p=0.5)
        for task in TASKS
    ]
    tests = zip(names, p_values, rows, strict=False)
    return [ClaimTest(name, "real_vs_ai", p_joint=p, row=row) for name, p, row in tests]


def family(tests, **plan):
    return [claim.id for claim in judge(tests, Plan(**plan)) if claim.confirmatory]


def test_a_claim_enters_the_family_once_whatever_its_number_of_tasks():
    """Three more tasks of the generators cost the other claims nothing."""
    one = [claim("prefers_ai", 0.546, 0.02), *of_tasks(0.03)]
    four = [claim("prefers_ai", 0.546, 0.02), *of_tasks(0.03, 0.9, 0.9, 0.9)]

    assert family(four) == family(one) == ["prefers_ai", "generator_gap"]
    expected = {"prefers_ai": "supported", "generator_gap": "supported"}
    for tests in (one, four):
        assert verdicts(tests).items() >= expected.items()


def test_each_contrast_enters_the_family():
    enhanced = ClaimTest("prefers_ai:real_vs_enhanced", "real_vs_enhanced", Estimate(0.6, 0.01))

    assert family([claim("prefers_ai:real_vs_ai", 0.6, 0.01), enhanced]) == [
        "prefers_ai:real_vs_ai",
        "prefers_ai:real_vs_enhanced",
    ]


def test_further_tasks_are_corrected_among_themselves():
    """Benjamini and Hochberg: 0.04 and 0.03 both hold; after Holm neither would."""
    found = verdicts(of_tasks(0.9, 0.04, 0.03))

    assert found["generator_gap:detect_pair"] == found["generator_gap:rate_single"] == "supported"


def test_a_plan_that_names_a_claim_means_its_first_task():
    assert family(of_tasks(0.5, 0.5), confirmatory=("generator_gap",)) == ["generator_gap"]


def test_a_plan_may_name_another_task():
    named = ("generator_gap:rate_single",)

    assert family(of_tasks(0.5, 0.5, 0.5), confirmatory=named) == ["generator_gap:rate_single"]
    both = ("generator_gap", *named)
    assert family(of_tasks(0.5, 0.5, 0.5), confirmatory=both) == list(both)


def test_a_plan_may_name_the_only_task_that_there_is():
    (only,) = of_tasks(0.01)

    assert family([only], confirmatory=("generator_gap:prefer_pair",)) == ["generator_gap"]


def test_no_other_task_takes_the_place_of_one_that_cannot_be_tested():
    first, second = of_tasks(0.01, 0.01)
    first = replace(first, p_joint=None, row=None, why_not=Message("Why."))

    assert family([first, second]) == []


def test_a_smallest_effect_may_be_set_for_one_contrast():
    tests = [claim("indistinguishable", 0.56, 0.01)]

    assert verdicts(tests)["indistinguishable"] == "refuted"
    wide = {"indistinguishable:real_vs_ai": 0.1}
    assert verdicts(tests, sesoi=wide)["indistinguishable"] == "supported"


def test_a_joint_test_is_supported_or_undecided():
    def of(p):
        return [ClaimTest("generator_gap", "real_vs_ai", p_joint=p)]

    assert verdicts(of(0.01))["generator_gap"] == "supported"
    assert verdicts(of(0.9))["generator_gap"] == "undecided"


def test_every_claim_of_the_contract_is_listed():
    found = judge([claim("prefers_ai", 0.6, 0.01)], Plan())

    assert {c.id for c in found} == set(CLAIMS)
    assert {c.verdict for c in found if c.id != "prefers_ai"} == {"not_tested"}
    assert all(str(c.statement) for c in found)


def test_a_limit_keeps_a_verdict_undecided():
    limit = Message("Only the participants could be modelled.")

    (found, *_) = judge([claim("prefers_ai", 0.6, 0.01, at_most_undecided=limit)], Plan())

    assert (found.verdict, str(found.statement)) == ("undecided", str(limit))


def test_what_cannot_be_tested_says_why():
    reason = Message("At least two participants are needed.")
    test = ClaimTest("prefers_ai", "real_vs_ai", why_not=reason)

    (found, *_) = judge([test], Plan())

    assert (found.verdict, str(found.statement), found.basis) == ("not_tested", str(reason), [])


@pytest.mark.parametrize("name", [n for n, c in CLAIMS.items() if c.null is not None])
@pytest.mark.parametrize(("distance", "se"), [(3, 0.1), (-3, 0.1), (0, 0.1), (1, 2)])
def test_every_verdict_has_a_sentence(name, distance, se):
    smallest = CLAIMS[name].smallest_effect
    value = CLAIMS[name].null + distance * smallest

    (found, *_) = judge([claim(name, value, se * smallest)], Plan())

    assert "{" not in str(found.statement)


def test_a_test_without_anything_to_judge_is_refused():
    with pytest.raises(ValueError, match="neither an estimate nor a p-value"):
        judge([ClaimTest("prefers_ai", "real_vs_ai")], Plan())
