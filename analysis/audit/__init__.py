"""The leak audit: can anybody tell the origin of a served image without looking at it?

`audit` takes the images as they are served and their true origins. What is seen without decoding
pixels, or is fixed by the encoder (name, length, dimensions, tables, metadata, headers, order),
must be the same for all or random. What follows from the pixels is reported apart: a participant
with developer tools could compute it, and no encoder can hide it; it blocks nothing.

How a leak is told from chance, and how seldom chance is taken for a leak: see `leakage`.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .leakage import (
    ALPHA,
    PERMUTATIONS,
    Design,
    Leakage,
    Similarity,
    adjusted_p,
    leakage,
    similarity,
    too_few,
)
from .leakage import similarity_within_pairs as within_pairs
from .planted import PLANTED
from .served import (
    Feature,
    Observation,
    Served,
    features_of,
    header_features,
    observe,
    order_features,
)

__all__ = ["AuditError", "AuditResult", "Control", "Finding", "audit", "lines", "run"]

ORIGINS = {"real": False, "ai": True, "enhanced": True}
# A planted leak counts as found from here on.
FOUND = 0.95
# Among more images a sample is compared: its interval is narrow, and the time is bounded.
LARGEST_SAMPLE = 400

Status = Literal["constant", "random", "leak", "undecided", "apart"]
Verdict = Literal["nothing_found", "leak", "too_few", "broken"]
Indices = np.ndarray[Any, np.dtype[np.intp]]
Headers = tuple[tuple[str, str], ...]


class AuditError(ValueError):
    """Input that cannot be audited, one line a fault."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature. Constant features have no AUC; `p` is adjusted for all that are tested."""

    name: str
    group: str  # served: must be constant or random; pixels: reported apart
    status: Status
    n: int
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """A planted leak: the AUC of the feature that shows it best, and whether that is enough."""

    name: str
    auc: float
    found: bool


@dataclass(frozen=True, slots=True)
class AuditResult:
    verdict: Verdict
    ai: int
    real: int
    features: tuple[Finding, ...]
    controls: tuple[Control, ...]
    warnings: tuple[str, ...]

    @property
    def blocks(self) -> bool:
        """Whether a study must not go live with these images."""
        return self.verdict in ("leak", "broken")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def audit(
    folder: Path,
    truth: Path,
    headers: Path | None = None,
    *,
    alpha: float = ALPHA,
    seed: int = 1,
) -> AuditResult:
    """Audit a folder of served images.

    Parameters
    ----------
    folder : Path
        The images, byte by byte as they are served, under the names that the browser sees.
    truth : Path
        CSV with the columns `file`, `origin` (real, ai, enhanced; enhanced counts as AI) and
        optionally `pair_id`, which adds the comparison within pairs.
    headers : Path, optional
        JSON: {file: {header: value}} as answered by the server; a list of [header, value] keeps
        repeated ones.
    alpha : float
        The probability of a false alarm, over all features together, where nothing leaks.
    seed : int
        For the permutations: the same input gives the same result.

    Raises
    ------
    AuditError
        Where files or columns are missing or an origin is unknown, naming each fault.
    """
    rows = _read_truth(folder, truth)
    answers = _read_headers(headers, [row["file"] for row in rows]) if headers else None
    design = _design(rows)
    features = _features(folder, rows, answers)
    rng = np.random.default_rng(seed)
    sample = _sample(design, rng)
    findings = _findings(features, design, sample, alpha, rng)
    controls = _controls(folder, [rows[i] for i in sample], _part(design, sample))
    ai, real = int(design.is_ai.sum()), int((~design.is_ai).sum())
    verdict = _verdict(findings, controls, ai, real)
    warnings = (
        *_doubts(findings, ai, real),
        *_omissions(folder, len(rows), headers, len(sample)),
    )
    return AuditResult(verdict, ai, real, findings, controls, warnings)


def run(
    directory: Path, truth: Path, headers: Path | None = None
) -> tuple[int, str, dict[str, Any]]:
    """Audit for the command line.

    Returns
    -------
    tuple
        The exit code (0 nothing found, 1 a leak or a broken audit, 2 unusable input), the text to
        print, and the result for JSON.
    """
    try:
        result = audit(directory, truth, headers)
    except AuditError as error:
        return 2, str(error), {}
    return int(result.blocks), "\n".join(lines(result)), result.as_dict()


def _read_truth(folder: Path, truth: Path) -> list[dict[str, str]]:
    try:
        with truth.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise AuditError(f"{truth}: {error}") from error
    missing = {"file", "origin"} - set(rows[0] if rows else {})
    if missing:
        raise AuditError(f"{truth}, row 1: no column {', '.join(sorted(missing))}")
    faults = list(_truth_faults(folder, truth, rows))
    if faults:
        raise AuditError("\n".join(faults))
    return rows


def _truth_faults(folder: Path, truth: Path, rows: list[dict[str, str]]) -> Iterator[str]:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        name = row["file"]
        if row["origin"] not in ORIGINS:
            allowed = ", ".join(ORIGINS)
            yield f"{truth}, row {number}, origin: found {row['origin']!r}; allowed: {allowed}"
        if name in seen or Path(name).is_absolute() or not (folder / name).is_file():
            yield f"{truth}, row {number}, file: found {name!r}; allowed: a file in {folder}, once"
        seen.add(name)
    for is_ai, what in ((True, "ai or enhanced"), (False, "real")):
        if sum(ORIGINS.get(row["origin"]) is is_ai for row in rows) < 2:
            yield f"{truth}: fewer than two images of origin {what}"


def _read_headers(path: Path, names: list[str]) -> list[Headers]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        answers = [_headers(table[name]) for name in names]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AuditError(f"{path}: {error}") from error
    except KeyError as error:
        raise AuditError(f"{path}: no headers of {error}") from error
    return answers


def _headers(given: dict[str, str] | list[list[str]]) -> Headers:
    pairs = given.items() if isinstance(given, dict) else given
    return tuple((str(name), str(value)) for name, value in pairs)


def _design(rows: list[dict[str, str]]) -> Design:
    pairs = [row.get("pair_id", "") for row in rows]
    numbers = {pair: i for i, pair in enumerate(dict.fromkeys(filter(None, pairs)))}
    return Design(
        is_ai=np.array([ORIGINS[row["origin"]] for row in rows]),
        pair=np.array([numbers.get(pair, -1) for pair in pairs], dtype=np.int64),
    )


def _read(folder: Path, row: dict[str, str]) -> Served:
    path = folder / row["file"]
    return Served(row["file"], path.read_bytes(), path.stat().st_mtime_ns)


def _features(
    folder: Path, rows: list[dict[str, str]], answers: list[Headers] | None
) -> list[Feature]:
    names = [row["file"] for row in rows]
    modified = [(folder / name).stat().st_mtime_ns for name in names]
    observed: list[dict[str, Observation]] = [observe(_read(folder, row)) for row in rows]
    headers = header_features(answers) if answers else []
    return [*features_of(observed), *order_features(names, modified), *headers]


def _sample(design: Design, rng: np.random.Generator) -> Indices:
    """Return the images that are compared: all, or as many whole strata as the limit allows."""
    total = len(design.is_ai)
    if total <= LARGEST_SAMPLE:
        return np.arange(total)
    units = [*design.mixed_pairs()]
    single = np.setdiff1d(np.arange(total), np.concatenate(units) if units else [])
    units.extend(single[:, None])
    chosen = [units[i] for i in rng.permutation(len(units))]
    return np.sort(np.concatenate(chosen)[:LARGEST_SAMPLE])


def _findings(
    features: list[Feature],
    design: Design,
    sample: Indices,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    constant = [
        Finding(feature.name, feature.group, "constant", len(feature.values))
        for feature in features
        if feature.is_constant
    ]
    part = _part(design, sample)
    seen: list[Similarity] = []
    for feature in features:
        if not feature.is_constant:
            values = tuple(feature.values[i] for i in sample)
            shown = Feature(feature.name, feature.kind, feature.group, values)
            seen.extend(filter(None, (similarity(shown, part), within_pairs(shown, part))))
    tested = [each for each in seen if each.group == "served"]
    p = _adjusted(tested, part, rng)
    found = [_finding(each, part, p.get(each.name), alpha) for each in seen]
    return (*found, *constant)


def _adjusted(
    tested: list[Similarity], design: Design, rng: np.random.Generator
) -> dict[str, float]:
    """Return the p-values of two families by name: images by themselves, and within pairs."""
    single = [each for each in tested if not each.is_paired]
    paired = [each for each in tested if each.is_paired]
    families = [(single, design.shuffled(rng, PERMUTATIONS))]
    if paired:
        families.append((paired, design.swapped(rng, PERMUTATIONS)))
    return {
        each.name: min(1.0, p * len(families))
        for family, labels in families
        for each, p in zip(family, adjusted_p(family, labels), strict=True)
    }


def _finding(seen: Similarity, design: Design, p: float | None, alpha: float) -> Finding:
    found = leakage(seen, design.is_ai)
    low, high = round(found.low, 4), round(found.high, 4)
    status = _status(found, p, alpha)
    return Finding(seen.name, seen.group, status, found.n, round(found.auc, 4), low, high, p)


def _status(found: Leakage, p: float | None, alpha: float) -> Status:
    if p is None:
        return "apart"
    if p <= alpha:
        return "leak"
    return "undecided" if found.low > 0.5 or found.is_vague else "random"


def _part(design: Design, sample: Indices) -> Design:
    return Design(design.is_ai[sample], design.pair[sample])


def _controls(folder: Path, rows: Sequence[dict[str, str]], design: Design) -> tuple[Control, ...]:
    """Plant each leak into the images and look whether the audit sees it."""
    images = [_read(folder, row) for row in rows]
    controls = []
    for name, (plant, shown_by) in PLANTED.items():
        planted = plant(images, design.is_ai.tolist())
        features = features_of([observe(image) for image in planted])
        features += order_features([image.name for image in planted], [0] * len(planted))
        shown = [feature for feature in features if feature.name in shown_by]
        auc = max(similarity(feature, design).auc(design.is_ai) for feature in shown)
        controls.append(Control(name, round(auc, 4), auc >= FOUND))
    return tuple(controls)


def _verdict(
    findings: Sequence[Finding], controls: Sequence[Control], ai: int, real: int
) -> Verdict:
    if not all(control.found for control in controls):
        return "broken"
    if any(finding.status == "leak" for finding in findings):
        return "leak"
    return "too_few" if too_few(ai, real) else "nothing_found"


def _doubts(findings: Sequence[Finding], ai: int, real: int) -> Iterator[str]:
    if too_few(ai, real):
        yield (
            f"With {ai} AI and {real} real images the intervals are too wide to conclude: "
            "only what is constant is known to give nothing away."
        )
    above = [f.name for f in findings if f.status == "undecided" and (f.low or 0) > 0.5]
    if above:
        yield f"Above 0.5, as may happen by chance among so many: {', '.join(above)}."


def _omissions(folder: Path, images: int, headers: Path | None, sample: int) -> Iterator[str]:
    if headers is None:
        yield "No response headers were given, so none were audited."
    if sample < images:
        yield f"Features that vary were compared on a random sample of {sample} images."
    other = sum(path.is_file() for path in folder.iterdir()) - images
    if other > 0:
        yield f"Files in the folder that the truth file does not list, not audited: {other}."


_VERDICTS = {
    "nothing_found": "NOTHING FOUND: what is served gives the origin away by nothing audited.",
    "leak": "LEAK: the origin can be told without looking at the images.",
    "too_few": "UNDECIDED: no leak was found, but the images are too few to conclude.",
    "broken": "BROKEN: the audit does not find leaks that it planted itself. Do not rely on it.",
}


def lines(result: AuditResult) -> Iterator[str]:
    """The result in words, a line each."""
    yield f"{result.ai} AI and {result.real} real images"
    yield _VERDICTS[result.verdict]
    yield from result.warnings
    for title, group in (("Must be constant or random", "served"), ("From the pixels", "pixels")):
        yield f"\n{title}:"
        yield from (_line(finding) for finding in result.features if finding.group == group)
    yield "\nPlanted leaks:"
    for control in result.controls:
        outcome = "found" if control.found else "NOT FOUND"
        yield f"  {control.name:32} {outcome}, AUC {control.auc:.3f}"


def _line(finding: Finding) -> str:
    if finding.auc is None:
        return f"  {finding.name:32} {finding.status}, n = {finding.n}"
    interval = f"AUC {finding.auc:.3f} [{finding.low:.3f}, {finding.high:.3f}], n = {finding.n}"
    return f"  {finding.name:32} {finding.status}, {interval}"
