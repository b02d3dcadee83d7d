"""What is claimed, how it is tested, and what was laid down before the data were seen."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
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

    def is_confirmatory(self, claim: str, contrast: str, task: str, *, leads: bool) -> bool:
        """Whether a test belongs to the confirmatory family.

        `leads` says that it is the first task of its claim and contrast. Only that one stands for
        the claim, without a plan and where the plan names the claim alone; the plan may name
        another task as well or instead (``generator_gap:rate_single``).
        """
        if self.confirmatory is None:
            return leads
        exact, loose = [claim, *with_task(claim, contrast, task)], names_of(claim, contrast)
        return any(name in self.confirmatory for name in (exact + loose if leads else exact))

    @property
    def prior_scale(self) -> float:
        """Scale of the Cauchy prior of Bayes factors on shares: the smallest effect of interest."""
        return self.smallest_effect("indistinguishable")

    def as_settings(self) -> dict[str, Any]:
        """For results.json, with the smallest effect of every claim."""
        defaults = {c: k.smallest_effect for c, k in CLAIMS.items() if k.smallest_effect}
        return {**asdict(self), "sesoi": {**defaults, **self.sesoi}}

    def smallest_effect(self, claim: str, contrast: str = "") -> float:
        """Smallest effect of interest of a claim, named with or without its contrast."""
        default = CLAIMS[claim.split(":")[0]].smallest_effect
        value = next(
            (self.sesoi[name] for name in names_of(claim, contrast) if name in self.sesoi), default
        )
        if value is None:
            raise ValueError(f"{claim} is a joint test and has no smallest effect")
        return value


def names_of(claim: str, contrast: str) -> list[str]:
    """How a plan may name a claim, the most exact first."""
    base = claim.split(":")[0]
    return [claim, f"{base}:{contrast}", base]


def with_task(claim: str, contrast: str, task: str) -> list[str]:
    """How a plan may name a claim in one task."""
    return [f"{name}:{task}" for name in names_of(claim, contrast) if task]


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


def chosen(options: Mapping[str, Any], preset: Mapping[str, Any], sesoi: Iterable[str]) -> Plan:
    """The plan from what was asked for, then the preset, then the defaults.

    Parameters
    ----------
    options, preset : mapping
        `alpha`, `seed`, `resamples` and `jobs`, None where nothing is said; the preset's
        `claims` and `smallest_effects` too.
    sesoi : iterable of str
        `CLAIM=VALUE` texts.

    Raises
    ------
    DataError
        For a value that is out of range.
    """
    values: dict[str, Any] = {}
    for name, default in (("alpha", 0.05), ("seed", 1), ("resamples", 2000), ("jobs", 1)):
        said = [source.get(name) for source in (options, preset)]
        values[name] = next((value for value in said if value is not None), default)
    faults = [
        Fault(f"--{name}", None, "", repr(values[name]), f"more than {low}, less than {high}")
        for name, (low, high) in RANGES.items()
        if not low < values[name] < high
    ]
    if faults:
        raise DataError(faults)
    effects = {**preset.get("smallest_effects", {}), **parse_sesoi(sesoi)}
    return Plan(**values, sesoi=effects, confirmatory=preset.get("claims"))


RANGES = {"alpha": (0, 0.5), "seed": (-1, 2**63), "resamples": (99, 10**7), "jobs": (0, 1000)}
