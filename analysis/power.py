"""How many participants and images a study needs.

The closed form needs NumPy and SciPy only and answers at once; the simulation fits the mixed
model that the report will fit, in parallel or on a Dask cluster.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from analysis.equivalence import tost
from analysis.estimate import Estimate
from analysis.mixed import fit_glmm, marginal_probability

FloatArray = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
MOST_PARTICIPANTS = 1_000_000
RUNS_A_TASK = 10


@dataclass(frozen=True, slots=True)
class Design:
    """A planned study of a share, such as the accuracy in pairs.

    Attributes
    ----------
    participants, items : int
    trials : int
        Trials of each participant, at most one an item.
    share : float
        The true share, averaged over participants and items.
    null : float
        The share that means no effect.
    smallest : float
        The smallest effect of interest.
    sd_participant, sd_item : float
        Standard deviations between participants and between items, in log-odds.
    alpha : float
    """

    participants: int
    trials: int
    items: int
    share: float = 0.55
    null: float = 0.5
    smallest: float = 0.05
    sd_participant: float = 0.3
    sd_item: float = 0.5
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if min(self.participants, self.items) < 2 or not 1 <= self.trials <= self.items:
            raise ValueError(
                "at least 2 participants and 2 items are needed, and 1 to `items` trials each"
            )
        if not (0 < self.share < 1 and 0 < self.null < 1 and 0 < self.alpha < 0.5):
            raise ValueError("shares must lie between 0 and 1, alpha between 0 and 0.5")
        if min(self.sd_participant, self.sd_item) < 0 or self.smallest <= 0:
            raise ValueError("standard deviations must not be negative, `smallest` above 0")
        if not self.smallest < min(self.null, 1 - self.null):
            raise ValueError("`smallest` on either side of the null must lie between 0 and 1")

    @property
    def intercept(self) -> float:
        """The log-odds whose average over participants and items is the share."""
        spread = np.hypot(self.sd_participant, self.sd_item)

        def excess(intercept: float) -> float:
            return float(special.expit(intercept + spread * NODES) @ WEIGHTS) - self.share

        return float(optimize.brentq(excess, -40, 40))


@dataclass(frozen=True, slots=True)
class Power:
    """Chances of each outcome, and the width of the 95 % interval to expect.

    `difference` is the chance that the 1 - alpha interval excludes the null, `equivalence` that
    the 1 - 2 alpha interval lies within the smallest effect of interest. `runs` is 0 for the
    closed form. `failed` counts the runs in which the mixed model did not converge or every
    response was the same: they found neither, and have no part in the width.
    """

    difference: float
    equivalence: float
    width: float
    runs: int = 0
    failed: int = 0


def standard_error(design: Design) -> float:
    """Standard error of the share, when participants and items both vary.

    The variance of the mean is that between participants over their number, plus that between
    items over theirs, plus what is left over the number of responses (Westfall, Kenny and Judd,
    2014, doi:10.1037/xge0000014, for a share).
    """
    grid = design.intercept + (design.sd_participant * NODES[:, None] + design.sd_item * NODES)
    chance = special.expit(grid)
    between_participants = float(WEIGHTS @ (chance @ WEIGHTS - design.share) ** 2)
    between_items = float(WEIGHTS @ (WEIGHTS @ chance - design.share) ** 2)
    left = design.share * (1 - design.share) - between_participants - between_items
    responses = design.participants * design.trials
    variance = (
        between_participants / design.participants + between_items / design.items + left / responses
    )
    return float(np.sqrt(variance))


def closed_form(design: Design) -> Power:
    """Power from the noncentral t distribution on min(participants, items) - 1 df.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Power
        With an approximate chance of equivalence, exact as the degrees of freedom grow.
    """
    se, df = standard_error(design), min(design.participants, design.items) - 1
    effect = design.share - design.null
    critical = stats.t.isf(design.alpha / 2, df)
    distance = effect / se
    # SciPy gives NaN for the far tail where it vanishes, as in large studies.
    wrong_side = np.nan_to_num(stats.nct.cdf(-critical, df, distance))
    difference = stats.nct.sf(critical, df, distance) + wrong_side
    one_sided = stats.t.isf(design.alpha, df)
    inside = [
        stats.t.cdf((design.smallest + sign * effect) / se - one_sided, df) for sign in (1, -1)
    ]
    equivalence = max(0.0, float(sum(inside)) - 1)
    return Power(float(difference), equivalence, float(2 * stats.t.isf(0.025, df) * se))


def participants_needed(
    design: Design, power: float = 0.8, outcome: str = "difference"
) -> int | None:
    """The fewest participants for a chance of an outcome, or None if no number will do.

    More participants do not make up for too few items.

    Parameters
    ----------
    design : Design
        Its number of participants is ignored.
    power : float
    outcome : {"difference", "equivalence"}

    Returns
    -------
    int or None

    Raises
    ------
    ValueError
        If the outcome is unknown or `power` not between 0 and 1.
    """
    if outcome not in ("difference", "equivalence"):
        raise ValueError(f"outcome must be difference or equivalence, not {outcome!r}")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, not at {power}")

    def enough(participants: int) -> bool:
        planned = replace(design, participants=participants)
        return bool(getattr(closed_form(planned), outcome) >= power)

    if not enough(MOST_PARTICIPANTS):
        return None
    low, high = 1, MOST_PARTICIPANTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def simulated(
    design: Design, runs: int = 1000, seed: int = 1, jobs: int = 1, scheduler: str | None = None
) -> Power:
    """Power by simulating studies and fitting the mixed model to each.

    Parameters
    ----------
    design : Design
    runs : int
    seed : int
        The result depends on it alone, not on where the runs are computed.
    jobs : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``; then its workers do the runs.

    Returns
    -------
    Power
    """
    from joblib import Parallel, delayed  # the web process uses the closed form alone

    seeds = np.random.SeedSequence(seed).spawn(runs)
    tasks = [seeds[start : start + RUNS_A_TASK] for start in range(0, runs, RUNS_A_TASK)]
    with _workers(scheduler):
        parts = Parallel(n_jobs=-1 if scheduler else jobs)(
            delayed(_outcomes)(design, task) for task in tasks
        )
    rows = np.concatenate(parts)
    widths = rows[np.isfinite(rows[:, 2]), 2]
    width = float(widths.mean()) if len(widths) else np.nan
    found = rows[:, :2].mean(axis=0)
    return Power(float(found[0]), float(found[1]), width, runs, runs - len(widths))


@contextmanager
def _workers(scheduler: str | None) -> Iterator[None]:
    """joblib's own processes, or the workers of a Dask cluster."""
    if scheduler is None:
        yield
        return
    from distributed import Client
    from joblib import parallel_config

    with (
        Client(scheduler, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        parallel_config(backend="dask", client=client),
    ):
        yield


def _outcomes(design: Design, seeds: Sequence[np.random.SeedSequence]) -> FloatArray:
    """Whether each run found a difference or equivalence, and its interval's width.

    The width is NaN where there was no fit.
    """
    rows = []
    for seed in seeds:
        estimate = _estimate(design, np.random.default_rng(seed))
        if estimate is None:
            rows.append((False, False, np.nan))
            continue
        differs = estimate.p_value(design.null) < design.alpha
        region = (design.null - design.smallest, design.null + design.smallest)
        low, high = estimate.interval(0.95)
        rows.append((differs, tost(estimate, *region) < design.alpha, high - low))
    return np.array(rows, dtype=np.float64)


def _estimate(design: Design, rng: np.random.Generator) -> Estimate | None:
    """The share in one simulated study, by the mixed model; None where that has no maximum."""
    size = (design.participants, design.items)
    item = np.argsort(rng.random(size), axis=1)[:, : design.trials].ravel()
    participant = np.repeat(np.arange(design.participants), design.trials)
    eta = design.intercept + rng.normal(0, design.sd_participant, size[0])[participant]
    eta += rng.normal(0, design.sd_item, size[1])[item]
    success = rng.random(len(eta)) < special.expit(eta)
    if success.all() or not success.any():
        return None
    ones = np.ones((len(eta), 1))
    fit = fit_glmm(success, ones, {"participant": participant, "item": item})
    return marginal_probability(fit, [1]) if fit.converged else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m analysis power``."""
    add = parser.add_argument
    add("--participants", type=int, help="planned; without it, how many are needed")
    add("--trials", type=int, default=40, help="trials of each participant")
    add("--items", type=int, default=40, help="pairs or images")
    add("--share", type=float, default=0.55, help="the true accuracy or share")
    add("--null", type=float, default=0.5, help="the share that means no effect")
    add("--smallest", type=float, default=0.05, help="smallest effect of interest")
    add("--sd-participant", type=float, default=0.3, help="between participants, in log-odds")
    add("--sd-item", type=float, default=0.5, help="between items, in log-odds")
    add("--alpha", type=float, default=0.05)
    add("--power", type=float, default=0.8, help="wanted, to find the number of participants")
    add("--outcome", choices=("difference", "equivalence"), default="difference")
    add("--runs", type=int, default=0, help="simulated studies; 0 = closed form only")
    add("--seed", type=int, default=1)
    add("--jobs", type=int, default=1, help="processes on this machine")
    add("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")


def run(options: argparse.Namespace) -> int:
    """Plan a sample size: the chance of finding a difference, or of showing that there is none."""
    try:
        lines = list(_report(options))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


def _report(options: argparse.Namespace) -> Iterator[str]:
    design = Design(
        participants=options.participants or MOST_PARTICIPANTS,
        trials=options.trials,
        items=options.items,
        share=options.share,
        null=options.null,
        smallest=options.smallest,
        sd_participant=options.sd_participant,
        sd_item=options.sd_item,
        alpha=options.alpha,
    )
    if options.participants is None:
        needed = participants_needed(design, options.power, options.outcome)
        if needed is None:
            yield (
                f"no number of participants reaches a power of {options.power:g} "
                f"with {options.items} items: more items are needed"
            )
            return
        yield f"participants needed for a power of {options.power:g}: {needed}"
        design = replace(design, participants=needed)
    yield _line("closed form", closed_form(design))
    if options.runs:
        found = simulated(design, options.runs, options.seed, options.jobs, options.scheduler)
        yield _line(f"{options.runs} simulated studies", found)
        if found.failed:
            yield (
                f"the mixed model did not converge in {found.failed} of them, which count as "
                "having found nothing"
            )


def _line(title: str, power: Power) -> str:
    return (
        f"{title}: difference {power.difference:.3f}, equivalence {power.equivalence:.3f}, "
        f"95 % interval {power.width:.3f} wide"
    )
