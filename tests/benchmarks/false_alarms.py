"""How often each test cries wolf: false alarms, false equivalence and coverage by simulation.

Participants and images both vary. Run by hand, for about an hour on one core:

    uv run python -m tests.benchmarks.false_alarms --runs 4000 --out docs/false_alarms.md
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed
from scipy import optimize, special, stats

from analysis.clustered import clustered_mean
from analysis.estimate import Estimate
from analysis.mixed import fit_glmm, marginal_probability
from analysis.resampling import Bootstrap, bootstrap_two_way

SD_PARTICIPANT, SD_ITEM = 0.5, 0.5  # log-odds
SMALLEST = 0.05
COVERED = 0.62
JOINT_HEADING = "## Joint tests: nothing differs, the test says something does (wanted: 5 %)"
ROWS = {
    "glmm": "Mixed model, marginal probability",
    "log_odds": "Mixed model, intercept",
    "cluster_robust_two_way": "Cluster-robust, two-way",
    "bootstrap_two_way": "Bootstrap, two-way",
    "participant_mean": "t test of participants' means",
    "naive": "Binomial (every response independent)",
}


@dataclass(frozen=True)
class Design:
    participants: int
    trials: int
    items: int

    def __str__(self) -> str:
        return f"{self.participants} × {self.trials} × {self.items}"


DESIGNS = (Design(100, 50, 200), Design(30, 40, 40), Design(250, 20, 20))


def simulate(
    design: Design, intercept: float, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    participant = np.repeat(np.arange(design.participants), design.trials)
    order = np.argsort(rng.random((design.participants, design.items)), axis=1)
    item = order[:, : design.trials].ravel()
    eta = intercept + rng.normal(0, SD_PARTICIPANT, design.participants)[participant]
    eta += rng.normal(0, SD_ITEM, design.items)[item]
    correct = (rng.random(len(eta)) < special.expit(eta)).astype(float)
    return correct, {"participant": participant, "item": item}


def intercept_of(probability: float) -> float:
    """The log-odds at which the population answers correctly with this probability."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = np.hypot(SD_PARTICIPANT, SD_ITEM)

    def excess(intercept: float) -> float:
        share = special.expit(intercept + spread * nodes) @ weights / weights.sum()
        return float(share - probability)

    return float(optimize.brentq(excess, -5, 5))


def estimates(
    correct: np.ndarray,
    groups: dict[str, np.ndarray],
    rng: np.random.Generator,
    resamples: int,
) -> Iterator[tuple[str, Estimate | Bootstrap]]:
    """Each method's estimate of the accuracy; `log_odds` keeps the model's own scale."""
    fit = fit_glmm(correct, np.ones((len(correct), 1)), groups, names=["intercept"])
    yield "glmm", marginal_probability(fit, [1])
    yield "log_odds", fit.estimate("intercept")
    yield "cluster_robust_two_way", clustered_mean(correct, groups)
    columns = np.column_stack([correct, np.ones(len(correct))])
    yield (
        "bootstrap_two_way",
        bootstrap_two_way(
            columns,
            groups["participant"],
            groups["item"],
            lambda s: s[:, 0] / s[:, 1],
            rng,
            resamples,
        ),
    )
    means = np.bincount(groups["participant"], correct) / np.bincount(groups["participant"])
    yield (
        "participant_mean",
        Estimate(means.mean(), stats.sem(means), len(means) - 1),
    )
    share = correct.mean()
    yield "naive", Estimate(share, np.sqrt(share * (1 - share) / len(correct)))


def outcomes(design: Design, seed: int, resamples: int) -> dict[tuple[str, str], bool]:
    """One run of the three simulations: which tests erred, which intervals covered."""
    rng = np.random.default_rng([seed, design.participants])
    result = {}
    for name, estimate in estimates(*simulate(design, 0.0, rng), rng, resamples):
        low, high = estimate.interval(0.95)
        null = 0.0 if name == "log_odds" else 0.5
        result["false alarms", name] = not low < null < high
    for name, estimate in estimates(
        *simulate(design, intercept_of(0.5 + SMALLEST), rng), rng, resamples
    ):
        if name != "log_odds":
            low, high = estimate.interval(0.90)
            result["false equivalence", name] = low > 0.5 - SMALLEST and high < 0.5 + SMALLEST
    true_intercept = intercept_of(COVERED)
    for name, estimate in estimates(*simulate(design, true_intercept, rng), rng, resamples):
        low, high = estimate.interval(0.95)
        truth = true_intercept if name == "log_odds" else COVERED
        result["coverage", name] = low < truth < high
    return result


def run(
    design: Design, runs: int, jobs: int, resamples: int = 1000
) -> dict[tuple[str, str], float]:
    """The share of runs with each outcome."""
    results = Parallel(jobs)(delayed(outcomes)(design, seed, resamples) for seed in range(runs))
    return {key: float(np.mean([result[key] for result in results])) for key in results[0]}


def table(measure: str, shares: dict[Design, dict[tuple[str, str], float]]) -> str:
    lines = [
        "| method | " + " | ".join(str(design) for design in shares) + " |",
        "|---|" + "---:|" * len(shares),
    ]
    for name, title in ROWS.items():
        cells = [share.get((measure, name)) for share in shares.values()]
        if None not in cells:
            lines.append(f"| {title} | " + " | ".join(f"{100 * c:.1f} %" for c in cells) + " |")
    return "\n".join(lines)


def report(runs: int, shares: dict[Design, dict[tuple[str, str], float]]) -> str:
    error = 100 * np.sqrt(0.05 * 0.95 / runs)
    return f"""# False alarms

Simulated studies, {runs} a design: participants × trials each × images. Participants and images
vary with standard deviations of {SD_PARTICIPANT} and {SD_ITEM} log-odds. At 5 % the simulation's
own standard error is {error:.2f} points. Made by `python -m tests.benchmarks.false_alarms`.

## False alarms: nobody can tell, the test says they can (wanted: 5 %)

{table("false alarms", shares)}

## False equivalence: accuracy is {50 + 100 * SMALLEST:.0f} %, at the bound, and the test says \
that it lies within (wanted: at most 5 %)

{table("false equivalence", shares)}

## Coverage of 95 % intervals at an accuracy of {100 * COVERED:.0f} % (wanted: 95 %)

{table("coverage", shares)}
"""


def joint_section(page: Path) -> str:
    """What `tests.benchmarks.joint_tests` has put at the end of the page, if so."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    _rest, heading, section = text.partition(JOINT_HEADING)
    return f"\n{heading}{section}" if heading else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/false_alarms.md"))
    arguments = parser.parse_args()
    shares = {}
    for design in DESIGNS:
        shares[design] = run(design, arguments.runs, arguments.jobs)
        print(design, shares[design], flush=True)
    arguments.out.write_text(
        report(arguments.runs, shares) + joint_section(arguments.out), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
