import pandas as pd
import pytest

from analysis import data, exclusions
from analysis.checks import DataError
from analysis.simulate import Truth, simulate, write


def trials(rows):
    """A table of detection trials from a few cells each."""
    basis = {
        "participant_id": "p1",
        "task": "detect_pair",
        "response": "left",
        "left_origin": "ai",
        "right_origin": "real",
        "origin": None,
        "kind": "main",
        "rt_ms": 900.0,
        "focus_lost_ms": 0.0,
        "mode": "study",
        "is_simulated": False,
    }
    frame = pd.DataFrame([{**basis, "pair_id": f"k{i}", **row} for i, row in enumerate(rows)])
    text = frame.columns.difference(["rt_ms", "focus_lost_ms", "is_simulated"])
    frame[text] = frame[text].astype("category")
    data.add_derived(frame)
    return frame


def left_out(rows, rule, **parameters):
    table = trials(rows)
    values = {**exclusions.RULES[rule].defaults, **parameters}
    return exclusions.RULES[rule].leaves_out(table, **values).tolist()


def test_simulated_participants_are_left_out():
    assert left_out([{"is_simulated": True}, {}], "simulated") == [True, False]


def test_learning_trials_are_left_out():
    assert left_out([{"mode": "learning"}, {}], "learning") == [True, False]


def test_incomplete_participants_are_left_out_with_all_their_trials():
    rows = [{}, {"response": None}, {"participant_id": "p2"}, {"participant_id": "p2"}]

    assert left_out(rows, "incomplete", min_answered_share=0.8) == [True, True, False, False]
    assert left_out(rows, "incomplete", min_answered_share=0.5) == [False] * 4


def test_participants_who_fail_catch_trials_are_left_out():
    failed = [{}, {"kind": "catch", "response": "right"}]
    passed = [{"participant_id": "p2"}, {"participant_id": "p2", "kind": "catch"}]

    assert left_out(failed + passed, "catch_trials") == [True, True, False, False]


def test_a_wrong_main_trial_is_no_failed_catch_trial():
    assert left_out([{"response": "right"}, {"kind": "catch"}], "catch_trials") == [False, False]


def test_participants_who_stay_on_one_side_are_left_out():
    stuck = [{"response": "left"}] * 10
    varied = [{"participant_id": "p2", "response": side} for side in ("left", "right") * 5]
    few = [{"participant_id": "p3", "response": "left"}] * 9

    assert left_out(stuck + varied + few, "side_bias") == [True] * 10 + [False] * 19


def test_participants_who_give_one_rating_are_left_out():
    single = {"task": "rate_single", "left_origin": None, "right_origin": None, "origin": "ai"}
    stuck = [{**single, "response": "4"}] * 10
    varied = [{**single, "participant_id": "p2", "response": str(k)} for k in range(10)]

    assert left_out(stuck + varied, "straight_lining") == [True] * 10 + [False] * 10
    assert left_out([{}] * 10, "straight_lining") == [False] * 10


def test_trials_out_of_focus_are_left_out():
    assert left_out([{"focus_lost_ms": 6000.0}, {}], "focus_loss") == [True, False]


def test_fast_responses_are_left_out_and_participants_with_many_of_them():
    once = [{"rt_ms": 100.0}, {}, {}]
    often = [{"participant_id": "p2", "rt_ms": rt} for rt in (100.0, 100.0, 900.0)]

    found = left_out(once + often, "minimum_response_time", min_rt_ms=200, max_fast_share=0.5)

    assert found == [True, False, False, True, True, True]


def test_second_responses_to_the_same_item_are_left_out():
    rows = [{"pair_id": "k1"}, {"pair_id": "k1"}, {"pair_id": "k1", "kind": "repeat"}]

    assert left_out(rows, "duplicates") == [False, True, False]


@pytest.mark.parametrize("rule", list(exclusions.RULES))
def test_a_rule_without_its_column_leaves_nothing_out(rule):
    table = trials([{}, {}]).drop(
        columns=["kind", "rt_ms", "focus_lost_ms", "mode", "is_simulated"]
    )

    found = exclusions.RULES[rule].leaves_out(table, **exclusions.RULES[rule].defaults)

    assert found.tolist() == [False, False]


def test_apply_sums_from_planned_to_analysed(tmp_path):
    truth = Truth(participants=20, pairs=10, unanswered=0.1)
    table = simulate(truth)
    table.loc[table["participant_id"] == "sim-00001", "rt_ms"] = 50.0
    table["kind"] = ["practice" if k == 0 else "main" for k in table["trial_index"]]
    write(table, str(tmp_path / "t.csv"))

    kept = exclusions.apply(data.load(tmp_path / "t.csv").trials, include_simulated=True)

    assert kept.planned - sum(step.trials for step in kept.flow) == len(kept.main)
    people = kept.participants - sum(step.participants for step in kept.flow)
    assert people == kept.main["participant_id"].nunique() == 19


def test_rules_are_applied_in_the_order_in_which_they_stand(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text("[duplicates]\n[focus_loss]\nmax_focus_lost_ms = 10\n[catch_trials]\n")
    table = trials([{"pair_id": "k1"}, {"pair_id": "k1", "focus_lost_ms": 20.0}, {}])

    kept = exclusions.apply(table, exclusions.read_rules(file))

    assert [(step.rule, step.trials) for step in kept.flow] == [
        ("simulated", 0),
        ("learning", 0),
        ("duplicates", 1),
        ("focus_loss", 0),
        ("catch_trials", 0),
        ("unanswered", 0),
        ("not_main", 0),
    ]


def test_repeats_are_kept_beside_the_main_trials():
    table = trials([{}, {"kind": "repeat"}, {"kind": "practice"}, {"kind": "catch"}])

    kept = exclusions.apply(table)

    assert kept.trials["kind"].tolist() == ["main", "repeat"]
    assert kept.main["kind"].tolist() == ["main"]


def test_simulated_and_learning_trials_are_left_out_whatever_the_rules():
    table = trials([{"is_simulated": True}, {"mode": "learning"}, {}])

    assert len(exclusions.apply(table, {}).main) == 1
    assert len(exclusions.apply(table, {}, include_simulated=True).main) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[nonsense]", "column nonsense: found no such rule"),
        ("duplicates = 3", "column duplicates: found no such rule"),
        ("[duplicates]\nx = 1", "column duplicates.x: found 1; allowed: no parameters"),
        ("[focus_loss]\nmax_focus_lost_ms = 'long'", "column focus_loss.max_focus_lost_ms: "),
        ("[focus_loss]\nmax_focus_lost_ms = true", "column focus_loss.max_focus_lost_ms: "),
        ("[focus_loss", "column -: found "),
    ],
)
def test_a_faulty_rules_file_is_refused(tmp_path, text, expected):
    file = tmp_path / "rules.toml"
    file.write_text(text)

    with pytest.raises(DataError) as caught:
        exclusions.read_rules(file)

    start = f"{file}: row -, {expected}"
    assert [str(fault)[: len(start)] for fault in caught.value.faults] == [start]


def test_a_missing_rules_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="allowed: a TOML file"):
        exclusions.read_rules(tmp_path / "none.toml")
