import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis import data, schema
from analysis.simulate import Truth, intercept, simulate, write


def test_intercept_averages_to_the_probability():
    draws = np.random.default_rng(1).normal(0, 1.2, 200_000)

    assert expit(intercept(0.7, 1.2) + draws).mean() == pytest.approx(0.7, abs=0.002)
    assert intercept(0.7, 0.0) == pytest.approx(np.log(0.7 / 0.3))


def test_simulated_trials_are_valid_and_marked(tmp_path):
    truth = Truth(participants=5, pairs=6, tasks=schema.TASKS, exposures_ms=(100, 500), labels=True)
    for name in ("t.csv", "t.parquet"):
        write(simulate(truth), str(tmp_path / name))

    found = data.load(tmp_path / "t.csv")

    assert found.trials["is_simulated"].all()
    assert found.warnings == []
    pd.testing.assert_frame_equal(data.load(tmp_path / "t.parquet").trials, found.trials)


def test_every_participant_sees_every_pair_once_in_each_task():
    table = simulate(Truth(participants=4, pairs=7))

    seen = table.groupby(["participant_id", "task"])["pair_id"].agg(["nunique", "size"])

    assert (seen["nunique"].to_numpy() == 7).all()
    assert (seen["size"].to_numpy() == 7).all()


def test_a_seed_gives_the_same_table_again():
    pd.testing.assert_frame_equal(simulate(Truth(seed=3)), simulate(Truth(seed=3)))
    assert not simulate(Truth(seed=3)).equals(simulate(Truth(seed=4)))


def test_the_truth_is_found_again_in_a_large_table(tmp_path):
    truth = Truth(
        participants=150, pairs=250, trials=100, tasks=schema.TASKS, accuracy=0.65, ai_share=0.45
    )
    write(simulate(truth), str(tmp_path / "t.parquet"))
    trials = data.load(tmp_path / "t.parquet").trials

    correct = trials.groupby("task", observed=True)["correct"].mean()
    rating = trials.groupby("origin", observed=True)["rating"].mean()

    assert correct["detect_pair"] == pytest.approx(0.65, abs=0.03)
    assert correct["detect_single"] == pytest.approx(0.65, abs=0.03)
    assert trials["chose_ai"].mean() == pytest.approx(0.45, abs=0.03)
    assert rating["ai"] - rating["real"] == pytest.approx(0.3, abs=0.1)


def test_exposure_and_labels_move_the_choices(tmp_path):
    truth = Truth(
        participants=300,
        pairs=40,
        tasks=("prefer_pair",),
        exposures_ms=(100, 1000),
        exposure_effect=1.0,
        labels=True,
        label_effect=-0.8,
    )
    write(simulate(truth), str(tmp_path / "t.parquet"))
    trials = data.load(tmp_path / "t.parquet").trials

    share = trials.groupby(["exposure_ms", "disclosure"], observed=True)["chose_ai"].mean()

    assert share[100, "true_labels"] > share[1000, "true_labels"] + 0.1
    assert share[100, "false_labels"] > share[100, "true_labels"] + 0.2


@pytest.mark.parametrize(
    "wrong",
    [
        {"tasks": ("guess",)},
        {"tasks": ()},
        {"accuracy": 1.0},
        {"ai_share": 0.0},
        {"participants": 0},
        {"trials": 31},
    ],
)
def test_an_impossible_truth_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        simulate(Truth(**wrong))
