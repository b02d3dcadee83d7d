import numpy as np
import pandas as pd
import pytest

from analysis import answers, detectability, disclosure
from analysis.answers import QUESTIONS, ask
from analysis.plan import Plan
from analysis.results import EVERYONE
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan(resamples=100)
TRUTH = Truth(
    participants=24,
    pairs=30,
    tasks=("prefer_pair", "detect_pair", "detect_single", "rate_single"),
    accuracy=0.85,
    enhanced=1.0,
    levels=(0.25, 0.5, 1.0),
    exposures_ms=(100, 1000),
    labels=True,
    seed=6,
)


def hasty(table):
    """The table, with six people who respond at once and always the same."""
    fast = table["participant_id"] < "sim-00007"
    table.loc[fast, "rt_ms"] = 50
    pair = fast & table["task"].isin(["prefer_pair", "detect_pair"])
    table.loc[pair, "response"] = "left"
    return table


@pytest.fixture(scope="module")
def sample():
    table = hasty(simulate(TRUTH))
    made_by = np.array(["one", "two"])[table["pair_id"].str[-1].astype(int) % 2]
    for name in ("left", "right"):
        is_real = table[f"{name}_origin"] == "real"
        table[f"{name}_generator"] = pd.Series(made_by).mask(is_real | table["origin"].notna())
    rng = np.random.default_rng(1)
    names = {x for n in ("left", "right") for x in table[f"{n}_stimulus_id"].dropna()}
    stimuli = pd.DataFrame({"stimulus_id": sorted(names)})
    stimuli["brightness"] = rng.normal(size=len(stimuli)).astype(str)
    return sample_of(table, stimuli=stimuli)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.__module__.split(".")[1])
def test_every_headline_is_given_without_exclusions_too(sample, question):
    finding = ask(question, sample, PLAN)

    assert finding.headlines != []
    for row in finding.headlines:
        again = only(finding, row.term, subset=EVERYONE, method=row.method, task=row.task)
        assert again.n_participants == 24 > row.n_participants
        assert again.n > row.n
        assert (again.estimate, again.low, again.p) != (row.estimate, row.low, row.p)


def test_where_nothing_was_left_out_the_same_stands_twice():
    sample = sample_of(Truth(participants=12, pairs=10, tasks=("detect_pair",)))

    finding = ask(detectability.estimate, sample, PLAN)

    assert sample.lost_nothing
    for kept, whole in zip(
        rows_of(finding, "accuracy"), rows_of(finding, "accuracy", subset=EVERYONE), strict=True
    ):
        assert (whole.estimate, whole.low, whole.n) == (kept.estimate, kept.low, kept.n)


def test_groups_are_not_given_again(sample):
    finding = ask(detectability.estimate, sample, PLAN)

    assert {row.subset for row in finding.results if row.subset.endswith(EVERYONE)} == {EVERYONE}


def test_contrasts_keep_their_names_without_exclusions():
    table = hasty(simulate(Truth(participants=20, pairs=20, tasks=("detect_pair",), enhanced=0.5)))

    finding = ask(detectability.estimate, sample_of(table), PLAN)

    kept = only(finding, "accuracy", subset="contrast=real_vs_ai", method="glmm")
    name = f"contrast=real_vs_ai&{EVERYONE}"
    assert only(finding, "accuracy", subset=name, method="glmm").n > kept.n


def test_a_fit_that_does_not_converge_without_exclusions_is_told():
    """Without exclusions one label separates the responses perfectly."""
    truth = Truth(participants=20, pairs=30, tasks=("prefer_pair",), labels=True)
    table = simulate(truth)
    said_ai = table["disclosure"] == "true_labels"
    ai_left = table["left_origin"] == "ai"
    table["response"] = np.where(said_ai == ai_left, "left", "right")
    table["rt_ms"] = 50.0
    honest = simulate(truth)
    honest["participant_id"] = "honest-" + honest["participant_id"]
    honest.loc[said_ai, "response"] = np.where(ai_left, "left", "right")[said_ai]

    both = sample_of(pd.concat([table, honest], ignore_index=True))
    warnings = [str(text) for text in ask(disclosure.estimate, both, PLAN).warnings]

    assert any(text.startswith("Without exclusions: ") for text in warnings)
    assert answers.merged(ask(disclosure.estimate, both, PLAN).warnings) != []
