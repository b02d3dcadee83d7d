"""What the browser gets of a trial: everything that it needs to show, and nothing of the truth."""

from functools import cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from survey import design, flow, markup, studies, visits
from survey.models import Participant, Stimulus, Trial

PROMPTS = {
    "detect_pair": gettext_lazy("Which one was made or changed by an AI?"),
    "prefer_pair": gettext_lazy("Which picture do you like more?"),
    "detect_single": gettext_lazy("Photograph or AI?"),
    "rate_single": gettext_lazy("How do you rate this picture?"),
}

#: How sure somebody is, from one end to the other; a block may bring its own words.
GUESSING, CERTAIN = (
    pgettext_lazy("confidence", "Guessing"),
    pgettext_lazy("confidence", "Certain"),
)


def state(participant: Participant, urls: dict[str, str], ahead: visits.Ahead) -> dict[str, Any]:
    """Where the participant stands, and the next trials if there are any."""
    step = flow.step_of(participant, ahead.done)
    progress = {"step": step, "url": "", "done": ahead.done, "total": participant.planned}
    if step != flow.Step.TRIALS:
        return progress | {"url": urls.get(step, "")}
    first = ahead.trials[0]
    plan = studies.block_of(participant.version, first.block_key)
    return progress | {
        "block": block(plan, first.block, not ahead.is_first, participant.language),
        "trials": [trial(one, plan) for one in ahead.trials],
    }


def block(block: design.Block, number: int, started: bool, language: str) -> dict[str, Any]:
    """What is the same for all trials of a block; the instructions only before its first one."""
    texts: dict[str, Any] = dict(block.texts.get(language, {}))
    reasons = texts.get("reasons", {})
    return {
        "number": number,
        "task": block.task,
        "started": started,
        "instructions": "" if started else markup.render(texts.get("instructions", "")),
        "prompt": texts.get("prompt") or PROMPTS[block.task],
        "hint": texts.get("hint", ""),
        "ties": block.ties,
        "scale": _scale(block, texts),
        "confidence": _confidence(block, texts),
        "reasons": [{"code": code, "label": reasons.get(code, code)} for code in block.reasons],
    }


def _scale(block: design.Block, texts: dict[str, Any]) -> dict[str, Any] | None:
    if not block.scale_steps:
        return None
    return {
        "steps": block.scale_steps,
        "labels": list(texts.get("labels", ())),
        "low": texts.get("low", ""),
        "high": texts.get("high", ""),
    }


def _confidence(block: design.Block, texts: dict[str, Any]) -> dict[str, Any] | None:
    steps = block.confidence_steps
    if not steps:
        return None
    prompt = texts.get("confidence_prompt") or _("How sure are you?")
    labels = list(texts.get("confidence_labels", ()))
    ends = {
        "prompt": prompt,
        "low": labels[0] if labels else GUESSING,
        "high": labels[-1] if labels else CERTAIN,
    }
    if steps == design.CONFIDENCE_SLIDER:
        return {**ends, "slider": True, "steps": []}
    names = labels or [GUESSING, *map(str, range(2, steps)), CERTAIN]
    values = [{"value": i / (steps - 1), "label": names[i]} for i in range(steps)]
    return {**ends, "slider": False, "steps": values}


def trial(trial: Trial | visits.Planned, block: design.Block, token: str = "") -> dict[str, Any]:
    """What a browser gets of one trial; without a token of its own it is the trial's."""
    practice = trial.kind == "practice"
    return {
        "token": token or visits.trial_token(trial),
        "number": trial.index,
        "practice": practice,
        "images": [image_url(stimulus) for stimulus in trial.shown()],
        "exposure_ms": trial.exposure_ms,
        "labels": _labels(trial),
        "wait_feedback": block.feedback == "each" or (block.feedback == "practice" and practice),
    }


def _labels(trial: Trial | visits.Planned) -> list[Any] | None:
    """The labels that are the manipulation of the study; hidden ones are not sent."""
    if trial.disclosure == "hidden":
        return None
    truthful = trial.disclosure == "true_labels"
    return [
        _("AI image") if (stimulus.origin != "real") == truthful else _("Photograph")
        for stimulus in trial.shown()
    ]


def image_url(stimulus: Stimulus | visits.Picture) -> str:
    return _image_address().replace("KEY", stimulus.key)


@cache
def _image_address() -> str:
    own = reverse("image", args=["KEY"])
    return f"{settings.IMAGES_URL}KEY.jpg" if settings.IMAGES_URL else own


def feedback(participant: Participant, recorded: flow.Recorded) -> dict[str, Any] | None:
    """What a participant is told about a response that is already locked."""
    correct = flow.feedback(participant, recorded.trial, recorded.response)
    is_learning = studies.is_learning(participant.version)
    return told(correct, recorded.trial if is_learning else None)


def told(
    correct: bool | None, revealed: Trial | visits.Planned | None = None
) -> dict[str, Any] | None:
    """Feedback in words; nothing where there is no right answer or none is told.

    In the learning mode it comes with the truth about the trial.
    """
    if correct is None:
        return None
    text = _("Yes, that is right.") if correct else _("Not this time.")
    return {"correct": correct, "text": text, "labels": revealed and truth(revealed)}


def truth(trial: Trial | visits.Planned) -> list[str]:
    """What each stimulus of a trial is; only for a trial whose response is locked."""
    names = {"real": _("Photograph"), "ai": _("AI image"), "enhanced": _("Changed by an AI")}
    return [names[stimulus.origin] for stimulus in trial.shown()]
