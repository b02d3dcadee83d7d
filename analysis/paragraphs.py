"""Paragraphs for the methods and results sections of a paper, with the numbers filled in."""

from analysis import labels
from analysis.answers import Answers, versions
from analysis.plan import CLAIMS, JOINT
from analysis.results import Claim, Result
from analysis.sentences import amount, p_text, span
from analysis.texts import Message, marked


def methods(answers: Answers) -> list[Message]:
    """How the data were analysed."""
    plan, counts = answers.plan, answers.counts()
    parts = [_data(answers), _exclusions(answers)]
    tasks = set(answers.kept.main["task"].unique())
    if tasks & {"detect_pair", "detect_single", "prefer_pair"}:
        parts.append(
            Message(
                "Binary responses were analysed with logistic mixed models with crossed random "
                "intercepts of participants and of images (matched pairs count as one), fitted by "
                "the Laplace approximation. Probabilities are averaged over the random effects; "
                "intervals use a t distribution with the smaller number of levels minus one as "
                "degrees of freedom."
            )
        )
    if "detect_single" in tasks:
        parts.append(
            Message(
                "In the single-image task accuracy is the mean of the accuracies for real and for "
                "other images, with a random slope of the origin by participant, so that neither "
                "base rates nor a bias to call everything AI count."
            )
        )
    if "rate_single" in tasks:
        parts.append(
            Message(
                "Ratings were analysed with linear mixed models (REML) with random intercepts and "
                "slopes of the origin; differences are given in standard deviations of all "
                "ratings."
            )
        )
    if any(row.of_group and row.method == "glmm" for row in answers.results):
        parts.append(Message(GROUPS))
    parts += [*_family(answers), _beside(answers), _without_exclusions(answers)]
    parts.append(
        Message(
            "Computed with Honmono's analysis package (Python {python}, NumPy {numpy}, SciPy "
            "{scipy}, pandas {pandas}); seed {seed}, {resamples} resamples; SHA-256 of the data "
            "{sha256}.",
            {**versions(), "seed": plan.seed, "resamples": f"{plan.resamples:,}", **counts},
        )
    )
    return parts


GROUPS = marked(
    "The share of a group, such as a category of images or a condition, comes from the same mixed "
    "model fitted to its responses alone, so that every group has its own variation. Where "
    "responses make the groups, as recognition does, only the cluster-robust share is given, "
    "because how many of a person's responses belong there is then no accident."
)


def _data(answers: Answers) -> Message:
    counts = answers.counts()
    names = ("participants", "planned", "answered", "analysed", "stimuli")
    values = {name: f"{counts[name]:,}" for name in names}
    people = answers.kept.main["participant_id"].nunique()
    return Message(
        "{participants} participants were planned {planned} trials and responded to {answered}; "
        "{analysed} responses of {people} participants to {stimuli} images were analysed.",
        {**values, "people": f"{people:,}"},
    )


def _exclusions(answers: Answers) -> Message:
    applied = [step.meaning for step in answers.kept.flow if step.rule in answers.rules]
    if not applied:
        return Message("No exclusion rule was applied.")
    return Message("Left out, in this order, were: {listed}.", {"listed": _listed(applied)})


def _family(answers: Answers) -> list[Message]:
    """Which tests verdicts were corrected for, and how."""
    rule = WITHOUT_PLAN if answers.plan.confirmatory is None else WITH_PLAN
    correction = Message(
        "Within the family Holm's correction was applied separately to the tests of no effect "
        "(joint tests among them) and to the equivalence tests; verdicts use the corrected "
        "p-values at alpha {alpha}. Verdicts outside of it are exploratory and use the correction "
        "of Benjamini and Hochberg in the same two sets; all further tests are exploratory too, "
        "and the tables correct them after Benjamini and Hochberg within each question.",
        {"alpha": f"{answers.plan.alpha:g}"},
    )
    return [Message(rule), _members(answers), correction]


WITHOUT_PLAN = marked(
    "No preregistered plan was given. Each claim therefore entered the confirmatory family once "
    "for each kind of image compared, by the first task that it was asked in: pairs before single "
    "images, and for the generators and the labels preference before all else, ratings before "
    "detection one at a time."
)
WITH_PLAN = marked(
    "The preregistered claims are the confirmatory family. Where the plan names no task, a claim "
    "entered it once for each kind of image compared, by the first task that it was asked in: "
    "pairs before single images, and for the generators and the labels preference before all "
    "else, ratings before detection one at a time."
)


def _members(answers: Answers) -> Message:
    """The tests of the confirmatory family, by name and number."""
    family = [claim for claim in answers.claims if claim.confirmatory]
    if not family:
        return Message("None of its claims could be tested.")
    equivalence = [claim for claim in family if CLAIMS[claim.id.split(":")[0]].kind != JOINT]
    return Message(
        "The family has {effects} tests of no effect ({listed}) and {equivalence} equivalence "
        "tests (of the same claims; joint tests have none).",
        {
            "effects": len(family),
            "listed": _listed([claim_in_words(claim, answers.claims) for claim in family]),
            "equivalence": len(equivalence),
        },
    )


def claim_in_words(claim: Claim, claims: list[Claim]) -> Message:
    """The claim, with its task where the same is claimed of another task."""
    others = [other.id for other in claims if other.id.startswith(f"{claim.id}:")]
    if claim.row is None or not any(other.split(":")[-1] in labels.TASKS for other in others):
        return labels.claim_label(claim.id)
    return labels.claim_label(f"{claim.id}:{claim.row.task}")


def _listed(items: list[Message]) -> Message:
    listed = items[0]
    for item in items[1:]:
        listed = Message("{first}; {second}", {"first": listed, "second": item})
    return listed


def _without_exclusions(answers: Answers) -> Message:
    if answers.lost_nothing:
        return Message("As the exclusion rules left out no response, nothing had to be repeated.")
    return Message(
        "Every headline was estimated again without exclusions (exclusions=none in the tables)."
    )


def _beside(answers: Answers) -> Message:
    return Message(
        "Beside them stand two-way cluster-robust estimates, a two-way bootstrap, the mean over "
        "participants, and, for comparison only, the naive binomial interval. No difference was "
        "tested by two one-sided tests against the smallest effect of interest. Bayes factors have "
        "a Cauchy prior of scale {scale:g} on the share.",
        {"scale": answers.plan.prior_scale},
    )


def results(answers: Answers) -> list[Message]:
    """What was found, a sentence a claim that could be tested."""
    return [
        sentence
        for claim in answers.claims
        if claim.verdict != "not_tested" and claim.row is not None
        for sentence in [_result(claim, claim.row)]
    ]


def _result(claim: Claim, row: Result) -> Message:
    values: dict[str, object] = {
        "claim": labels.claim_label(claim.id),
        "n": f"{row.n:,}",
        "people": f"{row.n_participants:,}",
        "stimuli": f"{row.n_stimuli:,}",
        "verdict": Message(labels.VERDICTS[claim.verdict]),
        "p": p_text(row.p) if row.p is not None else "–",
    }
    if row.estimate is None or row.low is None or row.high is None or row.level is None:
        return Message(
            "{claim}: joint test p {p} ({people} participants, {stimuli} images, {n} responses). "
            "{verdict}.",
            values,
        )
    values |= {
        "estimate": amount(claim.id, row.estimate, claim.unit),
        "interval": span(claim.id, row.low, row.high),
        "level": row.level,
    }
    return Message(
        "{claim}: {estimate} ({level:.0%} interval {interval}, uncorrected p {p}; {people} "
        "participants, {stimuli} images, {n} responses). {verdict}.",
        values,
    )


def naive_comparison(answers: Answers) -> list[Message]:
    """How wrong the naive interval would be for each headline share."""
    effects = {
        (r.question, r.task, r.subset): r for r in answers.results if r.term == "design_effect"
    }
    found = []
    for claim in answers.claims:
        row = claim.row
        effect = effects.get((row.question, row.task, row.subset)) if row is not None else None
        if effect is not None and effect.estimate is not None and effect.estimate > 1:
            text = marked(
                "{claim}: as responses of one person, and to one image, are alike, the true "
                "variance is {effect:.1f} times that of independent responses."
            )
            values = {"claim": labels.claim_label(claim.id), "effect": effect.estimate}
            found.append(Message(text, values))
    return found
