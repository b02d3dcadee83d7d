"""Which generators do best: liked most, rated best, noticed least?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.appeal import appeal_scale, rated
from analysis.between import BetweenItems
from analysis.claims import Test
from analysis.detectability import judged
from analysis.estimate import Estimate
from analysis.factors import crossed
from analysis.labels import CHANCE_LABEL, where
from analysis.mixed import PerfectFit, fit_glmm, fit_lmm, marginal_probability
from analysis.pictures import Forest, Line, Picture
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.ranking import simultaneous_ranks
from analysis.results import Result, Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little, varies
from analysis.strengths import name_of, rank_label, rank_rows, strengths
from analysis.summaries import Case
from analysis.texts import Message, marked
from analysis.traits import Standing, cost_plane, traits
from analysis.trust import PERFECT, Trust, trust

QUESTION = "generators"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a task says of a generator; `sign` is -1 where less is better for it."""

    outcome: str
    term: str
    title: Message
    axis: Message
    sign: int = 1

    @property
    def is_rating(self) -> bool:
        return self.outcome == "rating"


TASKS = {
    "prefer_pair": Measure(
        "chose_ai",
        "ai_choice_share",
        Message("How often each generator was preferred to the photograph"),
        Message("choices of the AI side"),
    ),
    "detect_pair": Measure(
        "correct",
        "accuracy",
        Message("How often each generator was noticed beside the photograph"),
        Message("correct responses"),
        sign=-1,
    ),
    "rate_single": Measure(
        "rating",
        "rating",
        Message("How the images of each generator were rated"),
        Message("mean rating"),
    ),
    "detect_single": Measure(
        "correct",
        "accuracy_ai",
        Message("How often the images of each generator were noticed, one at a time"),
        Message("AI images called AI"),
        sign=-1,
    ),
}


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Preference for, rating and detection of each generator's images, with ranks.

    Needs `contrast_generator` with at least two names. What goes together with openness, release
    date and price has the generator as its unit and needs the generators table of a data set.
    There and in the ranks more is better: detection counts with a minus.
    """
    finding, claimed = Finding(QUESTION), set[str]()
    for contrast in sample.contrasts:
        for task, measure in TASKS.items():
            rows = _shown(sample.main, task, contrast)
            if not varies(rows["contrast_generator"]):
                continue
            claim = claim_id("generator_gap", contrast, sample.contrasts)
            if claim in claimed:
                claim += f":{task}"
            claimed.add(claim)
            part = contrast_part(contrast, sample.contrasts)
            finding.add(_task(rows, measure, task, contrast, claim, part, sample, plan))
    finding.add(strengths(QUESTION, sample.main, plan))
    return finding


def _shown(trials: pd.DataFrame, task: str, contrast: str) -> pd.DataFrame:
    """The responses to images of a named generator."""
    if task == "prefer_pair":
        rows = chosen(trials, contrast, "")
    elif task == "rate_single":
        rows = rated(trials, contrast, appeal_scale(trials) or "")
    else:
        rows = judged(trials, task, contrast)
    return rows[rows["contrast_generator"].notna()]


def _too_few_items(rows: pd.DataFrame) -> Message | None:
    """Why generators cannot be told from their images, if so."""
    items, names = rows["item"].dropna().nunique(), rows["contrast_generator"].nunique()
    if items > names or items <= 1:
        return None
    values = {"generators": names, "count": items}
    text = marked(
        "There are {count} images or pairs of {generators} generators: with one of each, generator "
        "and image are the same thing."
    )
    return Message(text, values)


def _task(
    rows: pd.DataFrame,
    measure: Measure,
    task: str,
    contrast: str,
    claim: str,
    part: str,
    sample: Sample,
    plan: Plan,
) -> Finding:
    """What one task says of the generators."""
    problem = too_little(rows, measure.outcome) or _too_few_items(rows)
    if problem is not None:
        return Finding(QUESTION, tests=[Test(claim, contrast, why_not=problem)])
    try:
        gap = _gap(rows, measure, contrast, Scope.of(QUESTION, task, subset(part), rows))
    except PerfectFit:
        return Finding(QUESTION, tests=[Test(claim, contrast, why_not=PERFECT)])
    finding = _compared(gap, claim, part, plan)
    name = claim.replace("generator_gap", "open_vs_closed")
    finding.add(traits(gap.standing, sample.generators, name, plan))
    plane = cost_plane(gap.standing, sample.generators, plan)
    if plane is not None:
        finding.pictures.append(plane)
    return finding


@dataclass(frozen=True)
class Gap:
    """The model with one probability, or one mean rating, a generator."""

    scope: Scope
    rows: pd.DataFrame
    measure: Measure
    names: list[str]
    fit: BetweenItems
    trusted: Trust
    contrast: str

    def value(self, name: str) -> Estimate:
        """The generator's probability, averaged over participants and items, or its rating."""
        if self.measure.is_rating:
            return self.fit.effect(name)
        point = np.array([float(other == name) for other in self.names])
        return self.fit.corrected(marginal_probability(self.fit.fit, point))

    @property
    def scores(self) -> np.ndarray:
        """One number a generator, more is better: log-odds, or standard deviations of ratings."""
        return self.measure.sign * self.fit.fit.coef / self.unit

    @property
    def unit(self) -> float:
        return float(self.rows["rating"].std()) if self.measure.is_rating else 1.0

    @property
    def standing(self) -> Standing:
        """What openness, age and price may go together with."""
        return Standing(
            self.scope,
            self.contrast,
            pd.Series(self.scores, index=self.names),
            {name: self.value(name) for name in self.names},
            self.measure.sign,
            self.measure.is_rating,
            self.trusted.limit,
        )

    def ranks(self, level: float) -> dict[str, tuple[float, tuple[float, float]]]:
        """Each generator's rank with its simultaneous interval."""
        cov = self.fit.cov / self.unit**2
        limits = simultaneous_ranks(self.scores, cov, self.fit.df, level)
        return rank_rows(self.names, self.scores, limits)


def _gap(rows: pd.DataFrame, measure: Measure, contrast: str, scope: Scope) -> Gap:
    names = sorted(str(name) for name in rows["contrast_generator"].unique())
    made_by = rows["contrast_generator"].astype(object).to_numpy()
    design = np.column_stack([made_by == name for name in names]).astype(float)
    factors = crossed(rows)
    fitted = fit_lmm if measure.is_rating else fit_glmm
    fit = fitted(rows[measure.outcome].to_numpy(float), design, factors, names=names)
    trusted = trust(factors, where(contrast, scope.task), fit)
    between = BetweenItems.of(fit, factors)
    return Gap(scope, rows, measure, names, between, trusted, contrast)


def _compared(gap: Gap, claim: str, part: str, plan: Plan) -> Finding:
    """Every generator's share or rating and rank, and the joint test that they are all the same."""
    method = "lmm" if gap.measure.is_rating else "glmm"
    p = gap.fit.equality()
    joint = gap.scope.result("joint_test", method, None, p=p)
    ranks = gap.ranks(plan.level)
    null = None if gap.measure.is_rating else 0.5
    results, lines = [joint], []
    for name in gap.names:
        here = gap.rows[gap.rows["contrast_generator"] == name]
        scope = Scope.of(QUESTION, gap.scope.task, subset(part, f"generator={name}"), here)
        row = scope.from_estimate(gap.measure.term, method, gap.value(name), plan.level, null)
        results += [row, scope.result("rank", method, *ranks[name], plan.level)]
        lines.append((ranks[name], Line(rank_label(name, ranks[name][1]), row)))
    test = Test(
        claim,
        gap.contrast,
        p_joint=1.0 if p is None else p,
        row=joint,
        at_most_undecided=gap.trusted.limit,
    )
    in_order = [line for _rank, line in sorted(lines, key=lambda entry: entry[0])]
    picture = _picture(gap, part, in_order)
    return Finding(QUESTION, results, [test], [picture], gap.trusted.warnings)


def _picture(gap: Gap, part: str, lines: list[Line]) -> Picture:
    measure = gap.measure
    name = "_".join(["generators", gap.scope.task, *([gap.contrast] if part else [])])
    if measure.is_rating:
        mean = float(gap.rows["rating"].mean())
        label = Message("mean of all")
        return Forest(name, measure.title, measure.axis, lines, mean, label, percent=False)
    return Forest(name, measure.title, measure.axis, lines, 0.5, CHANCE_LABEL)


def sentences(case: Case) -> list[Message]:
    """Best and worst, and which ranks chance leaves open to them."""
    if case.row.term != "joint_test":
        return []  # openness has its verdict
    ranks = case.groups("rank", "generator", case.row.method)
    best, worst = (find(ranks, key=lambda name: ranks[name].estimate or 0.0) for find in (min, max))
    first = _best_and_worst(case, best, worst, len(ranks))
    second = Message(
        "Allowing for chance, {best} may hold {best_rank} and {worst} {worst_rank} ({level:.0%} "
        "simultaneous intervals); this is about these generators only.",
        {
            "best": name_of(best),
            "worst": name_of(worst),
            "best_rank": rank_span(ranks[best]),
            "worst_rank": rank_span(ranks[worst]),
            "level": case.plan.level,
        },
    )
    return [first, second]


def _best_and_worst(case: Case, best: str, worst: str, count: int) -> Message:
    values: dict[str, object] = {"best": name_of(best), "worst": name_of(worst), "count": count}
    if case.row.method.startswith("cluster_robust"):
        text = marked(
            "All comparisons taken together, {best} was preferred most and {worst} least of the "
            "{count} that were compared."
        )
        return Message(text, values)
    measure, is_rating = TASKS[case.row.task], case.row.task == "rate_single"
    found = case.groups(measure.term, "generator", case.row.method)
    shown = "{value:.2f}" if is_rating else "{value:.1%}"
    for key, name in (("most", best), ("least", worst)):
        values[key] = Message(shown, {"value": found[name].estimate})
    return Message(GENERATORS[case.row.task], values)


GENERATORS = {
    "prefer_pair": marked(
        "Of the generators shown ({count}), {best} was preferred to the photograph most often "
        "({most}) and {worst} least often ({least})."
    ),
    "rate_single": marked(
        "Of the generators shown ({count}), {best} was rated highest ({most}) and {worst} lowest "
        "({least})."
    ),
    "detect_pair": marked(
        "Of the generators shown ({count}), {best} was noticed least often beside a photograph "
        "({most}) and {worst} most often ({least})."
    ),
    "detect_single": marked(
        "Of the generators shown ({count}), {best} was noticed least often in single images "
        "({most}) and {worst} most often ({least})."
    ),
}


def rank_span(row: Result) -> Message:
    """The ranks that a simultaneous interval leaves open."""
    values = {"best": row.low, "worst": row.high}
    if row.low == row.high:
        return Message("rank {best:.0f}", values)
    return Message("ranks {best:.0f} to {worst:.0f}", values)
