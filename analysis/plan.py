"""What is claimed, how it is tested, and what was laid down before the data were seen."""

import json
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.checks import DataError, Fault

NO_DIFFERENCE, UPWARD, TWO_SIDED, JOINT = "no difference", "upward", "two-sided", "joint"


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """One line of the contract's table: what no effect is, and the smallest effect that counts."""

    null: float | None
    smallest_effect: float | None
    kind: str


CLAIMS = {
    "indistinguishable": ClaimKind(0.5, 0.05, NO_DIFFERENCE),
    "prefers_ai": ClaimKind(0.5, 0.05, UPWARD),
    "more_appealing": ClaimKind(0.0, 0.2, UPWARD),
    "beauty_features": ClaimKind(None, None, JOINT),
    "gut_reaction": ClaimKind(0.0, 0.2, UPWARD),
    "disclosure_effect": ClaimKind(0.0, 0.2, TWO_SIDED),
    "generator_gap": ClaimKind(None, None, JOINT),
    "open_vs_closed": ClaimKind(0.0, 0.2, TWO_SIDED),
    "calibrated": ClaimKind(0.0, 0.05, NO_DIFFERENCE),
}


@dataclass(frozen=True)
class Plan:
    """Every choice that shapes a result."""

    alpha: float = 0.05
    seed: int = 1
    resamples: int = 2000
    jobs: int = 1
    sesoi: dict[str, float] = field(default_factory=dict)
    confirmatory: tuple[str, ...] | None = None  # claims of the frozen plan; None = no plan given

    @property
    def level(self) -> float:
        return 1 - self.alpha

    def is_confirmatory(self, claim: str) -> bool:
        """Whether the frozen plan names the claim, with or without its contrast.

        Without a plan all claims are one family.
        """
        if self.confirmatory is None:
            return True
        return claim in self.confirmatory or claim.split(":")[0] in self.confirmatory

    @property
    def prior_scale(self) -> float:
        """Scale of the Cauchy prior of Bayes factors on shares: the smallest effect of interest."""
        return self.smallest_effect("indistinguishable")

    def as_settings(self) -> dict[str, Any]:
        """For results.json, with the smallest effect of every claim."""
        defaults = {c: k.smallest_effect for c, k in CLAIMS.items() if k.smallest_effect}
        return {**asdict(self), "sesoi": {**defaults, **self.sesoi}}

    def smallest_effect(self, claim: str) -> float:
        """Smallest effect of interest of a claim, named with or without its contrast."""
        base = claim.split(":")[0]
        default = CLAIMS[base].smallest_effect
        value = self.sesoi.get(claim, self.sesoi.get(base, default))
        if value is None:
            raise ValueError(f"{claim} is a joint test and has no smallest effect")
        return value


def parse_sesoi(settings: Iterable[str]) -> dict[str, float]:
    """`CLAIM=VALUE` texts as a mapping.

    Raises
    ------
    DataError
        For an unknown claim, a joint test, or a value that is no positive number.
    """
    known = [name for name, claim in CLAIMS.items() if claim.smallest_effect is not None]
    found, faults = {}, []
    for text in settings:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if name.split(":")[0] not in known or not 0 < number < float("inf"):
            allowed = f"CLAIM=VALUE with a positive value and one of {', '.join(known)}"
            faults.append(Fault("--sesoi", None, "", repr(text), allowed))
        found[name] = number
    if faults:
        raise DataError(faults)
    return found


def read_preset(path: Path) -> dict[str, Any]:
    """The frozen plan of a study as JSON: claims, smallest effects, alpha, exclusion rules, seed.

    Raises
    ------
    DataError
        For an unreadable file or a claim that is not known.
    """
    try:
        preset = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError([Fault(str(path), None, "", str(error), "a JSON file")]) from None
    if not isinstance(preset, dict):
        raise DataError([Fault(str(path), None, "", type(preset).__name__, "a JSON object")])
    unknown = [c for c in preset.get("claims", []) if str(c).split(":")[0] not in CLAIMS]
    if unknown:
        allowed = ", ".join(CLAIMS)
        raise DataError([Fault(str(path), None, "claims", repr(c), allowed) for c in unknown])
    return preset


def chosen(options: Namespace, preset: dict[str, Any]) -> Plan:
    """The plan from the command line, then the preset, then the defaults.

    Raises
    ------
    DataError
        For a value that is out of range.
    """
    default = Plan()
    names = ("alpha", "seed", "resamples", "jobs")
    values = {
        name: getattr(options, name)
        if getattr(options, name) is not None
        else preset.get(name, getattr(default, name))
        for name in names
    }
    ranges = {"alpha": (0, 0.5), "seed": (-1, 2**63), "resamples": (99, 10**7), "jobs": (0, 1000)}
    faults = [
        Fault(f"--{name}", None, "", repr(values[name]), f"more than {low}, less than {high}")
        for name, (low, high) in ranges.items()
        if not low < values[name] < high
    ]
    if faults:
        raise DataError(faults)
    sesoi = {**preset.get("sesoi", {}), **parse_sesoi(options.sesoi)}
    claims = tuple(preset["claims"]) if "claims" in preset else None
    return Plan(**values, sesoi=sesoi, confirmatory=claims)
