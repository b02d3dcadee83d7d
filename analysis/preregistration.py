"""The frozen plan of a study, and what an analysis does otherwise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.checks import DataError, Fault
from analysis.exclusions import Parameters, from_list
from analysis.plan import CLAIMS, Plan, names_of, with_task
from analysis.results import Claim
from analysis.texts import Message, marked


@dataclass(frozen=True)
class Preset:
    """What was laid down before the data were seen; None where nothing was."""

    claims: tuple[str, ...]
    smallest_effects: Mapping[str, float] = field(default_factory=dict)
    alpha: float | None = None
    seed: int | None = None
    resamples: int | None = None
    stopping_rule: str = ""
    rules: Parameters | None = None


def read(path: Path) -> Preset:
    """A preset from JSON: a study as the admin exports it, or its analysis plan alone.

    `claims`, `smallest_effects`, `alpha`, `stopping_rule`, `seed` and `resamples` stand at the top
    or in `analysis_plan`; `exclusion_rules` is a list of `{"name": ..., "parameters": {...}}`.

    Raises
    ------
    DataError
        For an unreadable file, an unknown claim or rule, or a value of the wrong kind.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError([Fault(str(path), None, "", str(error), "a JSON file")]) from None
    plan = whole.get("analysis_plan", whole) if isinstance(whole, dict) else None
    if not isinstance(plan, dict):
        raise DataError([Fault(str(path), None, "", repr(whole)[:40], "a JSON object")])
    faults = _faults(str(path), plan)
    rules = whole.get("exclusion_rules")
    chosen = from_list(str(path), rules, faults) if rules is not None else None
    if faults:
        raise DataError(faults)
    return Preset(
        claims=tuple(plan.get("claims", ())),
        smallest_effects=plan.get("smallest_effects", {}),
        alpha=plan.get("alpha"),
        seed=plan.get("seed"),
        resamples=plan.get("resamples"),
        stopping_rule=plan.get("stopping_rule", ""),
        rules=chosen,
    )


def _faults(file: str, plan: dict[str, Any]) -> list[Fault]:
    wanted: dict[str, tuple[type | tuple[type, ...], str]] = {
        "claims": (list, "a list of claims"),
        "smallest_effects": (dict, "CLAIM: number"),
        "alpha": ((int, float), "a number"),
        "seed": (int, "a whole number"),
        "resamples": (int, "a whole number"),
        "stopping_rule": (str, "a text"),
    }
    faults = [
        Fault(file, None, name, repr(plan[name]), allowed)
        for name, (kind, allowed) in wanted.items()
        if name in plan and not isinstance(plan[name], kind)
    ]
    if faults:
        return faults
    named = [*plan.get("claims", []), *plan.get("smallest_effects", {})]
    allowed = ", ".join(CLAIMS)
    return [
        Fault(file, None, "claims", repr(name), allowed)
        for name in named
        if str(name).split(":")[0] not in CLAIMS
    ]


def deviations(preset: Preset, plan: Plan, rules: Parameters, claims: list[Claim]) -> list[Message]:
    """How the analysis differs from the preset, a sentence each."""
    found = []
    for name, value in (("alpha", plan.alpha), ("seed", plan.seed), ("resamples", plan.resamples)):
        planned = getattr(preset, name)
        if planned is not None and planned != value:
            values = {"name": name, "used": value, "planned": planned}
            found.append(Message("{name} is {used}; planned was {planned}.", values))
    for name, planned in preset.smallest_effects.items():
        used = plan.sesoi.get(name)
        if used != planned:
            values = {"claim": name, "used": used, "planned": planned}
            text = marked(
                "The smallest effect of interest of {claim} is {used}; planned was {planned}."
            )
            found.append(Message(text, values))
    if preset.rules is not None and preset.rules != rules:
        found.append(Message("The exclusion rules are not the planned ones."))
    tested = {name for claim in claims if claim.confirmatory for name in _planned_as(claim)}
    for name in preset.claims:
        if name not in tested:
            found.append(Message("{claim} was planned and could not be tested.", {"claim": name}))
    return found


def _planned_as(claim: Claim) -> list[str]:
    task = "" if claim.row is None else claim.row.task
    return [*names_of(claim.id, claim.contrast), *with_task(claim.id, claim.contrast, task)]
