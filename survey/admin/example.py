"""What a participant would be told at the end, from made-up choices; nothing is stored."""

import random
from collections.abc import Mapping
from typing import Any

from survey import design, flow, recruitment, results, studies
from survey.models import Response, Stimulus, Study, Trial

SEED = 1
#: So often the right side is known; otherwise a coin decides. About three quarters are right.
KNOWN = 0.5


def stimuli_of(study: Study) -> dict[str, Stimulus]:
    """The images by their code, as plans name them."""
    return {s.code: s for s in study.stimuli.select_related("pair", "generator")}


def trial_of(planned: design.PlannedTrial, stimuli: Mapping[str, Stimulus], **more: Any) -> Trial:
    """A planned trial as a row that is not saved."""
    same = ("index", "block", "block_key", "kind", "task", "exposure_ms", "disclosure")
    values = {name: getattr(planned, name) for name in same}
    sides = {
        "left": stimuli.get(planned.left_id),
        "right": stimuli.get(planned.right_id),
        "stimulus": stimuli.get(planned.stimulus_id),
    }
    return Trial(pair_code=planned.pair_id, **(values | sides | more))


def result(study: Study) -> dict[str, Any]:
    """The result of somebody who makes the choices up. Raises DesignError."""
    rules = recruitment.rules_of(study)
    if not rules.show_result:
        return {}
    told = results.told(_answered(study), is_learning=study.mode == "learning")
    offers_card = told["detection"] is not None and (rules.share_card or rules.open_link)
    return told | {"offers_card": offers_card}


def _answered(study: Study) -> list[Trial]:
    """All main trials of one participant, each with a response."""
    plan, stimuli = studies.design_of(study), stimuli_of(study)
    rng = random.Random(SEED)  # noqa: S311 (an example, not a secret)
    planned = design.plan_trials(
        plan,
        [stimulus.plain() for stimulus in stimuli.values()],
        number=0,
        condition=plan.conditions[0].name if plan.conditions else "",
        exposures={},
        rng=rng,
    )
    trials = [trial_of(one, stimuli) for one in planned if one.kind == "main"]
    for trial in trials:
        Response(trial=trial, response=_choice(trial, rng), layout="side_by_side")
    return trials


def _choice(trial: Trial, rng: random.Random) -> str:
    options = ["left", "right"] if trial.task.endswith("_pair") else ["real", "ai"]
    right = [option for option in options if flow.is_correct(trial, Response(response=option))]
    return right[0] if right and rng.random() < KNOWN else rng.choice(options)
