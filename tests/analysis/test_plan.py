import json

import pytest

from analysis import plan, preregistration
from analysis.checks import DataError
from analysis.claims import Test as ClaimTest
from analysis.claims import judge
from analysis.estimate import Estimate
from analysis.plan import Plan


def test_smallest_effects_default_to_the_contract():
    assert Plan().smallest_effect("indistinguishable:real_vs_ai") == 0.05
    assert Plan().smallest_effect("more_appealing") == 0.2


def test_a_joint_test_has_no_smallest_effect():
    with pytest.raises(ValueError, match="no smallest effect"):
        Plan().smallest_effect("beauty_features")


def test_options_come_before_the_preset_and_that_before_the_defaults():
    options = {"alpha": 0.01, "seed": None}

    found = plan.chosen(options, {"alpha": 0.1, "seed": 7}, ["prefers_ai=0.1"])

    assert (found.alpha, found.seed, found.resamples) == (0.01, 7, 2000)
    assert found.sesoi == {"prefers_ai": 0.1}


def test_settings_name_every_smallest_effect():
    found = Plan(sesoi={"prefers_ai": 0.1}).as_settings()["sesoi"]

    assert (found["prefers_ai"], found["calibrated"]) == (0.1, 0.05)


@pytest.mark.parametrize("text", ["prefers_ai", "prefers_ai=0", "prefers_ai=x", "x=1", "=1"])
def test_a_faulty_smallest_effect_is_refused(text):
    with pytest.raises(DataError, match="--sesoi"):
        plan.parse_sesoi([text])


@pytest.mark.parametrize(
    "options", [{"alpha": 0}, {"alpha": 0.5}, {"seed": -1}, {"resamples": 1}, {"jobs": 0}]
)
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(DataError, match=f"--{next(iter(options))}"):
        plan.chosen(options, {}, [])


def preset(folder, content):
    file = folder / "preset.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


STUDY = {
    "slug": "demo",
    "exclusion_rules": [{"name": "catch_trials", "parameters": {"max_failed_share": 0.2}}],
    "analysis_plan": {
        "claims": ["prefers_ai"],
        "smallest_effects": {"prefers_ai": 0.08},
        "alpha": 0.05,
        "stopping_rule": "100 participants",
    },
}


def test_a_preset_is_read_from_a_study_or_from_the_plan_alone(tmp_path):
    found = preregistration.read(preset(tmp_path, STUDY))
    alone = preregistration.read(preset(tmp_path, STUDY["analysis_plan"]))

    assert found.claims == alone.claims == ("prefers_ai",)
    assert found.rules == {"catch_trials": {"max_failed_share": 0.2}}
    assert alone.rules is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "a JSON file"),
        ("[]", "a JSON object"),
        ({"claims": ["nonsense"]}, "claims: found 'nonsense'"),
        ({"smallest_effects": {"nonsense": 1}}, "claims: found 'nonsense'"),
        ({"claims": "prefers_ai"}, "claims: found 'prefers_ai'; allowed: a list of claims"),
        ({"alpha": "small"}, "alpha: found 'small'; allowed: a number"),
        ({"exclusion_rules": [{"name": "x"}]}, "column x: found no such rule"),
        ({"exclusion_rules": ["x"]}, "found no such rule"),
    ],
)
def test_a_faulty_preset_is_refused(tmp_path, content, expected):
    with pytest.raises(DataError) as caught:
        preregistration.read(preset(tmp_path, content))

    assert expected in str(caught.value)


def deviations(folder, chosen, rules, value=0.6):
    found = preregistration.read(preset(folder, STUDY))
    claims = judge([ClaimTest("prefers_ai", "real_vs_ai", Estimate(value, 0.01))], chosen)
    return [str(text) for text in preregistration.deviations(found, chosen, rules, claims)]


def test_following_the_plan_is_no_deviation(tmp_path):
    chosen = plan.chosen({}, STUDY["analysis_plan"], [])

    assert deviations(tmp_path, chosen, {"catch_trials": {"max_failed_share": 0.2}}) == []


def test_each_deviation_is_named(tmp_path):
    chosen = Plan(alpha=0.01, sesoi={"prefers_ai": 0.2})

    assert deviations(tmp_path, chosen, {}) == [
        "alpha is 0.01; planned was 0.05.",
        "The smallest effect of interest of prefers_ai is 0.2; planned was 0.08.",
        "The exclusion rules are not the planned ones.",
    ]


def test_a_planned_claim_that_was_not_tested_is_a_deviation(tmp_path):
    content = {"claims": ["prefers_ai", "gut_reaction"]}
    found = preregistration.read(preset(tmp_path, content))
    claims = judge([ClaimTest("prefers_ai", "real_vs_ai", Estimate(0.6, 0.01))], Plan())

    texts = preregistration.deviations(found, Plan(), {}, claims)

    assert [str(text) for text in texts] == ["gut_reaction was planned and could not be tested."]
