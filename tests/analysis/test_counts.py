import json

import numpy as np
import pytest
from scipy.special import expit

from analysis.__main__ import main
from analysis.counts import Counts, estimate, naive, smallest_sd
from analysis.simulate import intercept

LU = Counts(50, 50, 50, overall=0.6134, real=0.669, ai=0.558)
FILE = """participants = 50
images = { real = 50, ai = 50 }
correct = { overall = 0.6134, real = 0.669, ai = 0.558 }
"""


def probability_se(found):
    return found.se * found.value * (1 - found.value)


def naive_means(counts, sd_participants, sd_images, runs, sd_bias=0.0, seed=1):
    """Mean of real and AI accuracy in simulated studies, every response drawn on its own."""
    rng = np.random.default_rng(seed)
    spread = np.sqrt(sd_participants**2 + sd_images**2 + (sd_bias / 2) ** 2)
    sides = [
        (intercept(counts.real, spread), counts.real_images, -0.5),
        (intercept(counts.ai, spread), counts.ai_images, 0.5),
    ]
    means = []
    for _ in range(runs):
        people = rng.normal(0, sd_participants, counts.participants)
        bias = rng.normal(0, sd_bias, counts.participants)
        shares = []
        for centre, images, half in sides:
            items = rng.normal(0, sd_images, images)
            eta = centre + (people + half * bias)[:, None] + items
            shares.append((rng.random(eta.shape) < expit(eta)).mean())
        means.append(sum(shares) / 2)
    return np.array(means)


@pytest.mark.parametrize(("sd_participants", "sd_images"), [(0.5, 0.6), (2.0, 0.3), (0.0, 2.4)])
def test_standard_error_is_that_of_simulated_studies(sd_participants, sd_images):
    means = naive_means(LU, sd_participants, sd_images, runs=2000)

    found = probability_se(estimate(LU, sd_participants, sd_images))

    assert found == pytest.approx(means.std(ddof=1), rel=0.06)  # 4 standard errors of 2,000 runs


def test_standard_error_holds_with_few_images_of_one_kind():
    few = Counts(40, 8, 30, overall=0.636, real=0.7, ai=0.62)

    means = naive_means(few, 0.8, 1.0, runs=2000)

    assert probability_se(estimate(few, 0.8, 1.0)) == pytest.approx(means.std(ddof=1), rel=0.06)


def test_a_bias_of_the_participants_makes_the_interval_too_wide_rather_than_too_narrow():
    means = naive_means(LU, 0.5, 0.6, runs=2000, sd_bias=1.8)

    found = probability_se(estimate(LU, 0.5, 0.6))

    assert 0.98 < found / means.std(ddof=1) < 1.2


def test_without_variation_the_standard_error_is_that_of_a_binomial():
    by_hand = np.sqrt((0.669 * 0.331 + 0.558 * 0.442) / 2500) / 2

    assert probability_se(estimate(LU, 0, 0)) == pytest.approx(by_hand, rel=1e-9)


def test_estimate_is_the_mean_of_both_accuracies_on_49_degrees_of_freedom():
    found = estimate(LU, 0.5, 0.6)

    assert (found.value, found.df, found.scale) == (pytest.approx(0.6135), 49, "logit")


def test_naive_interval_is_that_of_r():
    """prop.test(3067, 5000, correct = FALSE)$conf.int"""
    assert naive(LU, 0.95) == pytest.approx((0.6134, 0.5998200, 0.6268058), abs=1e-6)


def test_smallest_sd_is_where_the_interval_reaches_chance():
    sd = smallest_sd(LU, 0.95, sd_images=0.6)

    assert sd == pytest.approx(4.37, abs=0.05)
    assert estimate(LU, sd, 0.6).interval(0.95)[0] == pytest.approx(0.5, abs=1e-4)


def test_smallest_sd_is_none_where_no_variation_suffices():
    assert smallest_sd(LU, 0.95, sd_participants=0.5) is None


def test_smallest_sd_is_zero_where_chance_is_inside_anyway():
    close = Counts(10, 10, 10, overall=0.51, real=0.51, ai=0.51)

    assert smallest_sd(close, 0.95, sd_images=0.5) == 0


def test_smallest_sd_below_chance_is_found_too():
    below = Counts(50, 50, 50, overall=0.3866, real=0.331, ai=0.442)

    mirrored = smallest_sd(LU, 0.95, sd_images=0.6)

    assert smallest_sd(below, 0.95, sd_images=0.6) == pytest.approx(mirrored, abs=2e-3)


@pytest.mark.parametrize("given", [{}, {"sd_participants": 1.0, "sd_images": 1.0}])
def test_smallest_sd_wants_exactly_one_of_the_two(given):
    with pytest.raises(ValueError, match="of the participants or of the images"):
        smallest_sd(LU, 0.95, **given)


@pytest.mark.parametrize("sds", [(-0.1, 0.5), (0.5, 10.1), (float("nan"), 0.5)])
def test_impossible_standard_deviations_are_refused(sds):
    with pytest.raises(ValueError, match="between 0 and 10"):
        estimate(LU, *sds)


# The command


def run(tmp_path, text):
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    code = main(["counts", str(tmp_path / "study.toml"), "--out", str(tmp_path / "out")])
    return code, json.loads((tmp_path / "out" / "counts.json").read_text(encoding="utf-8"))


def test_published_counts_are_refuted_over_the_default_range(tmp_path):
    code, found = run(tmp_path, FILE)

    assert code == 0
    assert [row["verdict"] for row in found["rows"]] == ["refuted"] * 16
    assert found["undecided_from"] == {
        "participants": pytest.approx(4.24, abs=0.02),
        "images": None,
    }
    assert found["statement"]["en"] == (
        "Refuted: people did better than chance, with 16 of 16 assumed pairs of standard "
        "deviations; the smallest that would leave it undecided are 4.2 for the participants and "
        "none up to 10 for the images."
    )
    assert found["statement"]["ja"].startswith("否定")


def test_large_standard_deviations_leave_it_undecided(tmp_path):
    _, found = run(tmp_path, FILE + "sd_participants = [0.5, 5]\nsd_images = [0.6]\n")

    assert [row["verdict"] for row in found["rows"]] == ["refuted", "undecided"]


@pytest.mark.parametrize(
    ("share", "start"),
    [
        (0.505, "Supported: people did not differ from chance to an extent that matters, with 1"),
        (0.56, "Undecided whether people differ from chance, with each of 1"),
        (0.35, "Refuted: people did worse than chance, with 1 of 1"),
    ],
)
def test_the_sentence_follows_the_verdict(tmp_path, share, start):
    text = f"""participants = 50
images = {{ real = 50, ai = 50 }}
correct = {{ overall = {share}, real = {share}, ai = {share} }}
sd_participants = [{3 if share == 0.56 else 0.1}]
sd_images = [0.1]
"""

    _, found = run(tmp_path, text)

    assert found["statement"]["en"][: len(start)] == start


def test_without_a_folder_the_table_is_printed(tmp_path, capsys):
    (tmp_path / "study.toml").write_text(FILE + "sd_participants = [1]\nsd_images = [1]\n")

    code = main(["counts", str(tmp_path / "study.toml")])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[-2:] == [
        "| naive: every response independent | | 60.0% to 62.7% of 61.3% | |",
        "| 1.00 | 1.00 | 55.1% to 67.3% | refuted |",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("participants = 50", "", "column participants: found None; allowed: a whole number"),
        ("participants = 50", "participants = 1", "column -: found at least 2 participants"),
        ("participants = 50", "participants = true", "column participants: found True"),
        ("ai = 50", "fake = 50", "column images: found {'real': 50, 'fake': 50}; allowed: a table"),
        ("real = 50", "real = 50.5", "column images: found 50.5; allowed: a whole number from 2"),
        ("real = 0.669", "real = 66.9", "column -: found shares must lie between 0 and 1"),
        ("real = 0.669", "real = 'x'", "column correct: found 'x'; allowed: numbers from 0 to 1"),
        ("0.6134", "0.7", "column -: found the shares of real and AI images make 0.6135"),
        ("participants", "people", "column people: found no such setting"),
        ("correct", "sd_images = []\ncorrect", "column sd_images: found []; allowed: a list"),
        ("correct", "sd_images = [-1]\ncorrect", "column sd_images: found [-1]; allowed: a list"),
        ("correct", "sd_images = [true]\ncorrect", "column sd_images: found [True]; allowed"),
        ("correct", "[correct", "column -: found "),
    ],
)
def test_faulty_counts_are_refused(tmp_path, capsys, old, new, fault):
    path = tmp_path / "study.toml"
    path.write_text(FILE.replace(old, new, 1), encoding="utf-8")

    code = main(["counts", str(path), "--out", str(tmp_path / "out")])

    first = capsys.readouterr().err.splitlines()[0].removeprefix(f"{path}: row -, ")
    assert (code, first[: len(fault)]) == (2, fault)
    assert not (tmp_path / "out").exists()


def test_an_absent_file_is_refused(tmp_path, capsys):
    code = main(["counts", str(tmp_path / "absent.toml")])

    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
