"""A trials table with known truth: crossed participants and items, all four tasks.

The effects are set on the scale on which they are reported: the accuracy or share averaged
over participants and items, not the inverse logit of an intercept.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from analysis import schema

CATEGORIES = ("landscape", "portrait", "city", "animal", "food")
SCALE = 7  # buttons of the simulated rating


@dataclass(frozen=True, slots=True)
class Truth:
    """What is simulated. Standard deviations are those of random intercepts in log-odds."""

    participants: int = 100
    pairs: int = 30
    tasks: tuple[str, ...] = ("prefer_pair", "detect_pair")
    trials: int = 0  # a participant and task; 0 = every pair
    accuracy: float = 0.6
    ai_share: float = 0.55
    rating_difference: float = 0.3
    enhanced: float = 0.0  # share of the pairs with an enhanced photograph instead of AI
    generators: int = 1
    levels: tuple[float, ...] = ()
    exposures_ms: tuple[int, ...] = ()
    exposure_effect: float = 0.0  # log-odds of choosing AI, shortest minus longest
    labels: bool = False
    label_effect: float = 0.0  # AI label minus photograph label, in log-odds or rating SDs
    sd_participant: float = 0.3
    sd_item: float = 0.5
    unanswered: float = 0.0
    seed: int = 1


def intercept(probability: float, sd: float) -> float:
    """Log-odds whose average over a normal random effect is `probability`."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    return float(
        brentq(lambda b: float(weights @ expit(b + sd * nodes)) - probability, -30.0, 30.0)
    )


def simulate(truth: Truth) -> pd.DataFrame:
    """The trials table of `truth`, in the contract's form, every row marked as simulated."""
    _check(truth)
    rng = np.random.default_rng(truth.seed)
    pairs = _pairs(truth, rng)
    blocks = [_block(truth, pairs, number, rng) for number in range(len(truth.tasks))]
    trials = pd.concat(blocks, ignore_index=True)
    trials = trials.sort_values(["participant_number", "block"], kind="stable")
    trials["trial_index"] = trials.groupby("participant_number").cumcount().to_numpy()
    trials["row_id"] = [f"r{number}" for number in range(len(trials))]
    trials["study_id"] = "simulated"
    trials["is_simulated"] = "true"
    names = [column.name for column in schema.COLUMNS if column.name in trials]
    return trials[names].reset_index(drop=True)


def _check(truth: Truth) -> None:
    unknown = [task for task in truth.tasks if task not in schema.TASKS]
    if unknown or not truth.tasks:
        raise ValueError(f"tasks must be among {', '.join(schema.TASKS)}, found {unknown}")
    for name in ("accuracy", "ai_share"):
        if not 0 < getattr(truth, name) < 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {getattr(truth, name)}")
    for name in ("participants", "pairs", "generators"):
        if getattr(truth, name) < 1:
            raise ValueError(f"{name} must be at least 1, found {getattr(truth, name)}")
    if not 0 <= truth.trials <= truth.pairs:
        raise ValueError(f"trials must lie between 0 and the pairs, found {truth.trials}")


def _pairs(truth: Truth, rng: np.random.Generator) -> pd.DataFrame:
    number = np.arange(truth.pairs)
    enhanced = number < round(truth.enhanced * truth.pairs)
    level = np.resize(np.array(truth.levels or (1.0,)), truth.pairs)
    generator = np.array([f"generator-{1 + k % truth.generators}" for k in number], dtype=object)
    return pd.DataFrame(
        {
            "pair_id": [f"pair-{k + 1:03d}" for k in number],
            "category": [CATEGORIES[k % len(CATEGORIES)] for k in number],
            "ai_origin": np.where(enhanced, "enhanced", "ai"),
            "ai_generator": np.where(enhanced, "upscaler", generator),
            "enhancement_level": np.where(enhanced, level, np.nan),
            **{task: rng.normal(0, truth.sd_item, truth.pairs) for task in schema.TASKS},
        }
    )


def _block(
    truth: Truth, pairs: pd.DataFrame, number: int, rng: np.random.Generator
) -> pd.DataFrame:
    """All trials of one task: who sees what, in which order, and the response."""
    task = truth.tasks[number]
    count = truth.trials or truth.pairs
    order = rng.permuted(np.tile(np.arange(truth.pairs), (truth.participants, 1)), axis=1)
    pair = order[:, :count].ravel()
    participant = np.repeat(np.arange(truth.participants), count)
    shown = pairs.iloc[pair].reset_index(drop=True)
    person = rng.normal(0, truth.sd_participant, truth.participants)[participant]
    block = pd.DataFrame(
        {
            "participant_number": participant,
            "participant_id": [f"sim-{k + 1:05d}" for k in participant],
            "block": number,
            "kind": "main",
            "task": task,
            "pair_id": shown["pair_id"],
            "category": shown["category"],
            "enhancement_level": shown["enhancement_level"],
            "rt_ms": np.round(rng.lognormal(7.6, 0.5, len(pair))),
            "mode": "study",
            "language": "en",
        }
    )
    _add_conditions(block, truth, rng)
    answer = _pair_responses if task in schema.PAIR_TASKS else _single_responses
    answer(block, shown, person + shown[task].to_numpy(), truth, rng)
    block.loc[rng.random(len(block)) < truth.unanswered, ["response", "rt_ms"]] = [None, np.nan]
    return block


def _add_conditions(block: pd.DataFrame, truth: Truth, rng: np.random.Generator) -> None:
    if truth.exposures_ms:
        block["exposure_ms"] = rng.choice(truth.exposures_ms, len(block))
    if truth.labels:
        block["disclosure"] = rng.choice(["true_labels", "false_labels"], len(block))


def _shift(block: pd.DataFrame, truth: Truth) -> np.ndarray:
    """What exposure and labels add to the log-odds of choosing AI."""
    shift = np.zeros(len(block))
    if truth.exposures_ms:
        exposure = block["exposure_ms"].to_numpy(float)
        longest, shortest = max(truth.exposures_ms), min(truth.exposures_ms)
        span = np.log(longest / shortest) or 1.0
        shift += truth.exposure_effect * (np.log(longest / exposure) / span - 0.5)
    if truth.labels:  # a true label says AI on the AI side, a false one on the real side
        said_ai = np.where(block["disclosure"] == "true_labels", 1.0, -1.0)
        shift += truth.label_effect * said_ai
    return shift


def _pair_responses(
    block: pd.DataFrame,
    shown: pd.DataFrame,
    effects: np.ndarray,
    truth: Truth,
    rng: np.random.Generator,
) -> None:
    ai_left = rng.random(len(block)) < 0.5
    pair = shown["pair_id"].astype(object)
    sides: tuple[tuple[str, Any, Any], ...] = (
        ("origin", "real", shown["ai_origin"]),
        ("generator", None, shown["ai_generator"]),
        ("stimulus_id", pair + "-real", pair + "-ai"),
    )
    for column, real, ai in sides:
        block[f"left_{column}"] = np.where(ai_left, ai, real)
        block[f"right_{column}"] = np.where(ai_left, real, ai)
    detect = block["task"].iloc[0] == "detect_pair"
    target = truth.accuracy if detect else truth.ai_share
    start = intercept(target, float(np.hypot(truth.sd_participant, truth.sd_item)))
    linear = start + effects + (0 if detect else _shift(block, truth))
    chose_ai = rng.random(len(block)) < expit(linear)
    block["response"] = np.where(chose_ai == ai_left, "left", "right")
    if detect:
        block["confidence"] = _confidence(linear, chose_ai, rng)


def _single_responses(
    block: pd.DataFrame,
    shown: pd.DataFrame,
    effects: np.ndarray,
    truth: Truth,
    rng: np.random.Generator,
) -> None:
    is_ai = rng.random(len(block)) < 0.5
    block["origin"] = np.where(is_ai, shown["ai_origin"], "real")
    block["generator"] = shown["ai_generator"].where(is_ai, None)
    block["stimulus_id"] = shown["pair_id"] + np.where(is_ai, "-ai", "-real")
    if block["task"].iloc[0] == "detect_single":
        start = intercept(truth.accuracy, float(np.hypot(truth.sd_participant, truth.sd_item)))
        correct = rng.random(len(block)) < expit(start + effects)
        block["response"] = np.where(correct == is_ai, "ai", "real")
        block["confidence"] = _confidence(start + effects, correct, rng)
        return
    block["question"] = "appeal"
    sign = np.where(is_ai, 0.5, -0.5)
    latent = effects + truth.rating_difference * sign + rng.normal(0, 1, len(block))
    if truth.labels:
        true_label = (block["disclosure"] == "true_labels").to_numpy()
        latent += truth.label_effect * np.where(true_label == is_ai, 0.5, -0.5)
    rating = np.clip(np.round((SCALE + 1) / 2 + latent), 1, SCALE).astype(int)
    block["response"] = rating.astype(str).astype(object)


def _confidence(linear: np.ndarray, right: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Five buttons, higher where the response is right and the item easy."""
    sureness = expit(0.8 * np.where(right, linear, -linear) + rng.normal(0, 0.8, len(linear)))
    steps: np.ndarray = np.round(sureness * 4) / 4
    return steps


def write(trials: pd.DataFrame, path: str) -> None:
    """As CSV, or as Parquet where the name says so."""
    if path.endswith(".parquet"):
        trials.to_parquet(path, index=False)
    else:
        trials.to_csv(path, index=False, lineterminator="\n")
