"""Named exclusion rules, applied in a stated order, and the flow of participants.

Nothing is deleted: a rule says which rows an analysis leaves out, the flow says how many
that were, and every headline is also given without the rules that judge quality.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.checks import DataError, Fault, is_main, repeated
from analysis.texts import Message, marked

Mask = pd.Series  # one truth value a row: left out


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule needs: its parameters with their defaults, and what it says to a reader."""

    leaves_out: Callable[..., Mask]
    defaults: Mapping[str, float]
    meaning: str


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the flow: how many participants and trials a rule left out."""

    rule: str
    participants: int
    trials: int
    meaning: Message


@dataclass(frozen=True)
class Kept:
    """The rows that stay, and how they came about.

    `trials` holds the answered rows of the participants kept, main trials and repeats;
    `main` the main trials alone. The counts of `flow` sum from `planned` to `main`.
    """

    trials: pd.DataFrame
    flow: list[Step]
    participants: int
    planned: int

    @property
    def main(self) -> pd.DataFrame:
        return self.trials[is_main(self.trials)]


def _everyone(trials: pd.DataFrame, bad: Mask) -> Mask:
    """All rows of the participants for whom `bad` holds (indexed by participant)."""
    return trials["participant_id"].isin(bad.index[bad.to_numpy(dtype=bool)])


def _nobody(trials: pd.DataFrame) -> Mask:
    return pd.Series(False, index=trials.index)


def _share_by_participant(trials: pd.DataFrame, hit: Mask) -> pd.Series:
    return hit.astype(float).groupby(trials["participant_id"], observed=True).mean()


def simulated(trials: pd.DataFrame) -> Mask:
    return trials["is_simulated"] if "is_simulated" in trials else _nobody(trials)


def learning(trials: pd.DataFrame) -> Mask:
    return trials["mode"] == "learning" if "mode" in trials else _nobody(trials)


def incomplete(trials: pd.DataFrame, min_answered_share: float) -> Mask:
    main = trials[is_main(trials)]
    share = _share_by_participant(main, main["response"].notna())
    return _everyone(trials, share < min_answered_share)


def catch_trials(trials: pd.DataFrame, max_failed_share: float) -> Mask:
    if "kind" not in trials:
        return _nobody(trials)
    catch = trials[(trials["kind"] == "catch") & trials["correct"].notna()]
    return _everyone(trials, _share_by_participant(catch, catch["correct"] == 0) > max_failed_share)


def side_bias(trials: pd.DataFrame, max_same_share: float, min_trials: float) -> Mask:
    return _same_response(trials, schema.PAIR_TASKS, max_same_share, min_trials)


def straight_lining(trials: pd.DataFrame, max_same_share: float, min_trials: float) -> Mask:
    return _same_response(trials, schema.SINGLE_TASKS, max_same_share, min_trials)


def _same_response(
    trials: pd.DataFrame, tasks: tuple[str, ...], max_same_share: float, min_trials: float
) -> Mask:
    """Participants who give one response nearly always, in any of the tasks."""
    rows = trials[trials["task"].isin(tasks) & trials["response"].notna() & is_main(trials)]
    keys = [rows["participant_id"], rows["task"]]
    if "question" in rows:
        keys.append(rows["question"].astype(object).fillna(""))
    counts = rows.groupby([*keys, rows["response"]], observed=True).size()
    levels = list(range(len(keys)))
    most, total = counts.groupby(level=levels).max(), counts.groupby(level=levels).sum()
    bad = (most / total > max_same_share) & (total >= min_trials)
    return _everyone(trials, bad.groupby(level=0).any())


def focus_loss(trials: pd.DataFrame, max_focus_lost_ms: float) -> Mask:
    if "focus_lost_ms" not in trials:
        return _nobody(trials)
    return trials["focus_lost_ms"] > max_focus_lost_ms


def minimum_response_time(trials: pd.DataFrame, min_rt_ms: float, max_fast_share: float) -> Mask:
    if "rt_ms" not in trials:
        return _nobody(trials)
    fast = trials["rt_ms"] < min_rt_ms
    timed = trials[trials["rt_ms"].notna()]
    share = _share_by_participant(timed, timed["rt_ms"] < min_rt_ms)
    return fast | _everyone(trials, share > max_fast_share)


RULES: dict[str, Rule] = {
    "simulated": Rule(simulated, {}, "simulated participants"),
    "learning": Rule(learning, {}, "trials in the learning mode, which tells the truth"),
    "incomplete": Rule(
        incomplete,
        {"min_answered_share": 0.8},
        "participants who responded to less than {min_answered_share:.0%} of the main trials",
    ),
    "catch_trials": Rule(
        catch_trials,
        {"max_failed_share": 0.5},
        "participants who failed more than {max_failed_share:.0%} of the catch trials",
    ),
    "side_bias": Rule(
        side_bias,
        {"max_same_share": 0.95, "min_trials": 10},
        "participants who chose one side in more than {max_same_share:.0%} of at least "
        "{min_trials:g} pairs",
    ),
    "straight_lining": Rule(
        straight_lining,
        {"max_same_share": 0.95, "min_trials": 10},
        "participants who gave one response in more than {max_same_share:.0%} of at least "
        "{min_trials:g} single trials",
    ),
    "focus_loss": Rule(
        focus_loss,
        {"max_focus_lost_ms": 5000},
        "trials during which the page was out of focus for more than {max_focus_lost_ms:g} ms",
    ),
    "minimum_response_time": Rule(
        minimum_response_time,
        {"min_rt_ms": 200, "max_fast_share": 0.5},
        "responses in less than {min_rt_ms:g} ms, and participants with more than "
        "{max_fast_share:.0%} of them",
    ),
    "duplicates": Rule(repeated, {}, "a participant's second response to the same item"),
}
Parameters = dict[str, dict[str, float]]
ALWAYS: Parameters = {"simulated": {}, "learning": {}}  # what the rows are, not their quality
DEFAULT_RULES: Parameters = {
    name: dict(RULES[name].defaults)
    for name in ("catch_trials", "minimum_response_time", "duplicates")
}


def read_rules(path: Path) -> Parameters:
    """Rules from a TOML file: one table a rule, applied in the order in which they stand.

    Raises
    ------
    DataError
        For an unreadable file, an unknown rule or parameter, or a value that is no number.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError([Fault(str(path), None, "", str(error), "a TOML file")]) from None
    faults = [fault for name, table in tables.items() for fault in _faults(path, name, table)]
    if faults:
        raise DataError(faults)
    return {name: {**RULES[name].defaults, **table} for name, table in tables.items()}


def from_list(file: str, listed: Any, faults: list[Fault]) -> Parameters:
    """Rules from a list of `{"name": ..., "parameters": {...}}`; what is wrong goes to `faults`."""
    entries = listed if isinstance(listed, list) else [listed]
    chosen: Parameters = {}
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else repr(entry)
        table = entry.get("parameters", {}) if isinstance(entry, dict) else None
        wrong = _faults(Path(file), str(name), table)
        faults += wrong
        if not wrong:
            chosen[str(name)] = {**RULES[str(name)].defaults, **dict(table or {})}
    return chosen


def _faults(path: Path, name: str, table: Any) -> list[Fault]:
    if name not in RULES or not isinstance(table, dict):
        allowed = f"tables named {', '.join(RULES)}"
        return [Fault(str(path), None, name, "no such rule", allowed)]
    known = RULES[name].defaults
    allowed = ", ".join(f"{key} = number" for key in known) or "no parameters"
    return [
        Fault(str(path), None, f"{name}.{key}", repr(value), allowed)
        for key, value in table.items()
        if key not in known or isinstance(value, bool) or not isinstance(value, int | float)
    ]


def apply(
    trials: pd.DataFrame, rules: Parameters | None = None, *, include_simulated: bool = False
) -> Kept:
    """Apply the rules in their order.

    Simulated participants, unless they are asked for, and trials of the learning mode are always
    left out, first. Planned trials without a response, and practice and catch trials, are left
    out last, for every analysis.
    """
    chosen = {**ALWAYS, **(DEFAULT_RULES if rules is None else rules)}
    if include_simulated:
        del chosen["simulated"]
    left, flow = trials, []
    for name, parameters in chosen.items():
        out = RULES[name].leaves_out(left, **parameters)
        left, step = _step(left, out, name, Message(RULES[name].meaning, parameters))
        flow.append(step)
    left, step = _step(left, left["response"].isna(), "unanswered", Message(UNANSWERED))
    flow.append(step)
    repeats = left["kind"] == "repeat" if "kind" in left else _nobody(left)
    _, step = _step(left, ~is_main(left), "not_main", Message(NOT_MAIN))
    flow.append(step)
    return Kept(
        trials=left[is_main(left) | repeats],
        flow=flow,
        participants=int(trials["participant_id"].nunique()),
        planned=len(trials),
    )


UNANSWERED = marked("planned trials without a response")
NOT_MAIN = marked("practice trials, catch trials and repeats")


def _step(
    trials: pd.DataFrame, out: Mask, rule: str, meaning: Message
) -> tuple[pd.DataFrame, Step]:
    left = trials[~out]
    lost = trials["participant_id"].nunique() - left["participant_id"].nunique()
    return left, Step(rule, int(lost), len(trials) - len(left), meaning)
