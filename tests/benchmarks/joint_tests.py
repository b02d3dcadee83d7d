"""How often joint tests cry wolf: generators that are all alike, features that nothing depends on.

The studies go through the questions' own code. Run by hand, for half an hour on one core; it puts
its section into docs/false_alarms.md and leaves the rest of the page alone:

    uv run python -m tests.benchmarks.joint_tests --runs 2000
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit

from analysis import features, generators
from analysis.labels import FEATURES
from analysis.plan import Plan
from analysis.ranking import equality_test, rank
from analysis.results import Result
from tests.analysis.simulated import sample_of
from tests.benchmarks.false_alarms import (
    JOINT_HEADING,
    SD_ITEM,
    SD_PARTICIPANT,
    Design,
    simulate,
)

PLAN = Plan()
ROWS = {
    "glmm": "Mixed model (the claim's test)",
    "robust": "Cluster-robust, comparisons taken together",
    "robust given": "… given at all (15 pairs of each generator)",
    "uncorrected": "… without reckoning with few pairs",
    "ranks glmm": "Mixed model: any rank's interval wrong",
    "ranks robust": "Cluster-robust: any rank's interval wrong",
}


@dataclass(frozen=True)
class Study:
    """A design, what its pairs are divided into, and the log-odds of choosing the AI side."""

    design: Design
    groups: int
    preference: float = 0.0

    def __str__(self) -> str:
        return f"{self.groups}: {self.design}" + (", AI preferred" if self.preference else "")


GENERATORS = (
    Study(Design(60, 21, 21), 7),
    Study(Design(60, 21, 21), 7, preference=0.5),
    Study(Design(250, 20, 20), 4),
    Study(Design(60, 20, 60), 4),
    Study(Design(60, 30, 105), 7),
    Study(Design(100, 50, 200), 7),
)
FEATURED = (
    Study(Design(60, 18, 18), 8),
    Study(Design(60, 24, 24), 8),
    Study(Design(100, 30, 100), 8),
)


def choices(study: Study, rng: np.random.Generator) -> pd.DataFrame:
    """A trials table in which the AI side of a pair is chosen or not, whoever made it."""
    chose_ai, factors = simulate(study.design, study.preference, rng)
    pair = pd.Series(factors["item"]).astype(str)
    return pd.DataFrame(
        {
            "participant_id": [f"p{number}" for number in factors["participant"]],
            "task": "prefer_pair",
            "pair_id": "k" + pair,
            "left_stimulus_id": "k" + pair + "-ai",
            "right_stimulus_id": "k" + pair + "-real",
            "left_origin": "ai",
            "right_origin": "real",
            "left_generator": [f"g{number % study.groups}" for number in factors["item"]],
            "response": np.where(chose_ai == 1, "left", "right"),
        }
    )


def generator_outcomes(study: Study, seed: int) -> dict[str, bool]:
    """Which tests said that equal generators differ."""
    table = choices(study, np.random.default_rng([seed, study.design.items, study.groups]))
    found = generators.estimate(sample_of(table), PLAN)
    joint = {row.method: row.p for row in found.results if row.term == "joint_test"}
    robust = joint["cluster_robust_two_way"]
    return {
        "glmm": _alarm(joint["glmm"]),
        "robust given": robust is not None,
        "robust": _alarm(robust),
        "uncorrected": _alarm(_uncorrected(table)),
        "ranks glmm": _wrong_ranks(found.results, "glmm"),
        "ranks robust": _wrong_ranks(found.results, "cluster_robust_two_way"),
    }


def _alarm(p: float | None) -> bool:
    return p is not None and p < PLAN.alpha


def _uncorrected(table: pd.DataFrame) -> float | None:
    """The Wald test with the covariance and the degrees of freedom as they come."""
    factors = {"participant": table["participant_id"], "pair": table["pair_id"]}
    won = np.where(table["response"] == "left", 1, -1)
    fit = rank(table["left_generator"].to_numpy(str), np.full(len(table), "real"), won, factors)
    made = fit.names != "real"
    return equality_test(fit.scores[made], fit.cov[np.ix_(made, made)], fit.df)


def _wrong_ranks(results: list[Result], method: str) -> bool:
    """Whether an interval leaves out a rank that the generator may have: any, as all are alike."""
    ranks = [
        row
        for row in results
        if (row.term, row.method) == ("rank", method) and not row.subset.endswith("photograph")
    ]
    return any((row.low or 0) > 1 or (row.high or 0) < len(ranks) for row in ranks)


def feature_outcomes(study: Study, seed: int) -> dict[str, bool]:
    """Whether the test said that features matter of which nothing depends."""
    rng = np.random.default_rng([seed, study.design.items])
    names, ids = list(FEATURES)[: study.groups], range(study.design.items)
    stimuli = pd.DataFrame(
        {"stimulus_id": [f"k{number}-{side}" for side in ("ai", "real") for number in ids]}
    )
    for name in names:
        stimuli[name] = rng.normal(size=len(stimuli))
    found = features.estimate(sample_of(choices(study, rng), stimuli=stimuli), PLAN)
    (p,) = [row.p for row in found.results if row.term == "joint_test"]
    return {"glmm": _alarm(p)}


Outcomes = Callable[[Study, int], dict[str, bool]]


def shares(outcomes: Outcomes, study: Study, runs: int, jobs: int) -> dict[str, float]:
    """The share of runs with each outcome; of the robust test, where it was given."""
    results = Parallel(jobs)(delayed(outcomes)(study, seed) for seed in range(runs))
    found = {key: float(np.mean([result[key] for result in results])) for key in results[0]}
    if given := found.get("robust given"):
        found["robust"] /= given
    return found


def table(found: dict[Study, dict[str, float]]) -> str:
    lines = [
        "| method | " + " | ".join(str(study) for study in found) + " |",
        "|---|" + "---:|" * len(found),
    ]
    for name, title in ROWS.items():
        cells = [share.get(name) for share in found.values()]
        if None not in cells:
            lines.append(
                f"| {title} | " + " | ".join(_cell(name, s) for s in found.values()) + " |"
            )
    return "\n".join(lines)


def _cell(name: str, share: dict[str, float]) -> str:
    is_missing = name == "robust" and not share["robust given"]
    return "–" if is_missing else f"{100 * share[name]:.1f} %"


def section(runs: int, found: dict[str, dict[Study, dict[str, float]]]) -> str:
    error = 100 * np.sqrt(0.05 * 0.95 / runs)
    preferred = 100 * expit(0.5)
    return f"""{JOINT_HEADING}

Simulated studies, {runs} a design (standard error {error:.1f} points): how many generators or
features, then participants × trials each × pairs. Participants and pairs vary with standard
deviations of {SD_PARTICIPANT} and {SD_ITEM} log-odds. *AI preferred*: all generators are
preferred to the photographs alike, in about {preferred:.0f} % of the choices. Made by
`python -m tests.benchmarks.joint_tests`.

### Generators, by preference

{table(found["generators"])}

The intervals of ranks are simultaneous: at most 5 % is wanted, and less is safe. The
cluster-robust rows come from the Bradley-Terry strengths, which take all comparisons together.
With few pairs of a generator only the mixed model can be trusted, so the other joint test is left
out below 15 pairs of each, and t has one degree of freedom less than the fewest pairs.

### Features

{table(found["features"])}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/false_alarms.md"))
    arguments = parser.parse_args()
    found: dict[str, dict[Study, dict[str, float]]] = {"generators": {}, "features": {}}
    for name, outcomes, studies in (
        ("generators", generator_outcomes, GENERATORS),
        ("features", feature_outcomes, FEATURED),
    ):
        for study in studies:
            found[name][study] = shares(outcomes, study, arguments.runs, arguments.jobs)
            print(name, study, found[name][study], flush=True)
    page = arguments.out.read_text(encoding="utf-8").split(JOINT_HEADING)[0].rstrip()
    page += "\n\n" + section(arguments.runs, found)
    arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
