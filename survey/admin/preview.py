"""A study as a participant sees it, before anybody does: planned in memory, nothing is stored.

The pages and the script are the participant's own. Only the two endpoints behind them are
others: they plan with a fixed seed, and take responses without keeping them.
"""

import json
import random
from typing import Any

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from survey import card, delivery, design, faults, flow, learning, markup, studies, visits
from survey.admin import example, pages
from survey.forms import BackgroundForm, ConsentForm
from survey.models import Response, Study, Trial
from survey.roles import Right

SEED = 1
#: Of each block so many trials of each kind are shown: enough to see how it goes.
EXAMPLES = {"practice": 1, "main": 2}

_signer = signing.Signer(salt="survey.preview")


@pages.page("preview", right=Right.DESIGN, tab=lazy("Preview"), place=20)
@require_GET
def entry(request: HttpRequest, study: Study) -> HttpResponse:
    """The start page, or what keeps the study from being shown."""
    try:
        examples(study)
    except design.DesignError as error:
        context = {"title": _("Preview"), "faults": faults.all_told(error)}
        return pages.render(request, study, "admin/no_preview.html", context, 409)
    context = {
        **_frame(study),
        "form": ConsentForm(minimum_age=study.minimum_age),
        "action": pages.address(study, "preview_start"),
        "consent_download_url": pages.address(study, "preview"),
    }
    return render(request, "admin/preview/entry.html", context)


@pages.page("preview_start", right=Right.DESIGN, route="preview/start")
@require_POST
def start(request: HttpRequest, study: Study) -> HttpResponse:
    """The consent leads on; it is not stored."""
    return HttpResponseRedirect(pages.address(study, "preview_trial_page"), status=303)


@pages.page("preview_trial_page", right=Right.DESIGN, route="preview/trial/")
@require_GET
def trial_page(request: HttpRequest, study: Study) -> HttpResponse:
    """The page of all trials, with the preview's endpoints."""
    names = ("trials", "responses")
    urls = {name: pages.address(study, f"preview_{name}") for name in names}
    urls["trial_page"] = request.path
    plan = state(study, 0, _language(study))
    config = {"urls": urls, "plan": plan, "fullscreen": study.fullscreen}
    context = _frame(study) | {"config": config} | _progress(plan)
    return render(request, "admin/preview/trial.html", context)


@pages.page("preview_trials", right=Right.DESIGN, route="preview/trials")
@require_GET
def trials(request: HttpRequest, study: Study) -> HttpResponse:
    """The first trials."""
    return JsonResponse(state(study, 0, _language(study)))


@pages.page("preview_responses", right=Right.DESIGN, route="preview/responses")
@csrf_exempt  # JSON, and nothing is stored
@require_POST
def responses(request: HttpRequest, study: Study) -> HttpResponse:
    """Take a response, say what comes next, keep nothing."""
    try:
        payload = json.loads(request.body)
        index = int(_signer.unsign(payload["token"]))
        shown = examples(study)[index]
    except (ValueError, KeyError, TypeError, IndexError, signing.BadSignature):
        message = _("This answer does not belong here.")
        return JsonResponse({"error": "bad_token", "message": message}, status=400)
    answer = {
        "stored": True,
        "replayed": False,
        "feedback": _feedback(study, shown, payload.get("response")),
    }
    return JsonResponse(answer | state(study, index + 1, _language(study)))


@pages.page("preview_background", right=Right.DESIGN, route="preview/background/")
def background(request: HttpRequest, study: Study) -> HttpResponse:
    """The background questions; what is filled in goes nowhere."""
    if request.method == "POST":
        return HttpResponseRedirect(pages.address(study, "preview_debrief"), status=303)
    questions = studies.design_of(study).background
    form = BackgroundForm(questions=questions, language=_language(study))
    return render(request, "admin/preview/background.html", _frame(study) | {"form": form})


@pages.page("preview_debrief", right=Right.DESIGN, route="preview/debrief/")
@require_GET
def debrief(request: HttpRequest, study: Study) -> HttpResponse:
    """The debriefing, with the result of somebody who makes the choices up."""
    context = _frame(study) | {
        "debrief_html": markup.render(study.text("debrief", _language(study))),
        "result": example.result(study),
        "credits_url": reverse("credits", args=[study.slug]),
        "clues": learning.CLUES if study.mode == "learning" else (),
        "card_url": pages.address(study, "preview_card"),
    }
    return render(request, "admin/preview/debrief.html", context)


@pages.page("preview_card", right=Right.DESIGN, route="preview/card.png")
@require_GET
def score_card(request: HttpRequest, study: Study) -> HttpResponse:
    """The card of the same somebody."""
    result = example.result(study)
    if not result.get("offers_card"):
        raise Http404
    address = request.get_host() + reverse("entry", args=[study.slug])
    return HttpResponse(card.png(result["detection"], address.rstrip("/")), "image/png")


def examples(study: Study) -> list[Trial]:
    """A few trials of each block as some participant would get them. Raises DesignError.

    With several conditions each contributes the blocks that the ones before it lack.
    """
    plan = studies.design_of(study)
    stimuli = example.stimuli_of(study)
    pool = [stimulus.plain() for stimulus in stimuli.values()]
    chosen: list[design.PlannedTrial] = []
    for number, condition in enumerate([c.name for c in plan.conditions] or [""]):
        chosen += _examples_of(plan, pool, number, condition, {t.block_key for t in chosen})
    blocks = list(dict.fromkeys(trial.block_key for trial in chosen))
    return [
        example.trial_of(trial, stimuli, index=index, block=blocks.index(trial.block_key))
        for index, trial in enumerate(chosen)
    ]


def _examples_of(
    plan: design.Study,
    pool: list[design.Stimulus],
    number: int,
    condition: str,
    known: set[str],
) -> list[design.PlannedTrial]:
    rng = random.Random(SEED)  # noqa: S311 (a plan, not a secret)
    planned = design.plan_trials(
        plan, pool, number=number, condition=condition, exposures={}, rng=rng
    )
    taken: dict[tuple[str, str], int] = {}
    chosen = []
    for trial in planned:
        kind = (trial.block_key, trial.kind)
        taken[kind] = taken.get(kind, 0) + 1
        if trial.block_key not in known and taken[kind] <= EXAMPLES.get(trial.kind, 0):
            chosen.append(trial)
    return chosen


def state(study: Study, done: int, language: str) -> dict[str, Any]:
    """Where the preview stands: the next trials, or the page after them."""
    shown = examples(study)
    progress = {"done": done, "total": len(shown), "url": ""}
    if done >= len(shown):
        plan = studies.design_of(study)
        after = "preview_background" if plan.background else "preview_debrief"
        return progress | {"step": "background", "url": pages.address(study, after)}
    ahead = [t for t in shown[done : done + visits.AHEAD] if t.block == shown[done].block]
    block = _block_of(study, ahead[0])
    is_first = done == 0 or shown[done - 1].block != ahead[0].block
    return progress | {
        "step": "trials",
        "block": delivery.block(block, ahead[0].block, not is_first, language),
        "trials": [delivery.trial(trial, block, _signer.sign(str(trial.index))) for trial in ahead],
    }


def _block_of(study: Study, trial: Trial) -> design.Block:
    return next(b for b in studies.design_of(study).blocks if b.key == trial.block_key)


def _feedback(study: Study, trial: Trial, response: object) -> dict[str, Any] | None:
    tells = _block_of(study, trial).feedback
    if tells == "each" or (tells == "practice" and trial.kind == "practice"):
        correct = flow.is_correct(trial, Response(response=str(response)))
        return delivery.told(correct, trial if study.mode == "learning" else None)
    return None


def _language(study: Study) -> str:
    return study.language_for(get_language())


def _frame(study: Study) -> dict[str, Any]:
    """What the head of every page needs."""
    return {
        "study": {
            "title": study.title,
            "summary": study.text("summary"),
            "duration_minutes": study.duration_minutes,
            "url": reverse("entry", args=[study.slug]),
            "minimum_age": study.minimum_age,
            "contact": study.text("contact"),
            "consent_version": study.text("consent_version"),
            "consent_html": markup.render(study.text("consent")),
            "languages": study.languages,
            "is_learning": study.mode == "learning",
        },
        "back": reverse("admin:survey_study_checklist", args=[study.pk]),
    }


def _progress(plan: dict[str, Any]) -> dict[str, Any]:
    return {"done": plan["done"], "total": plan["total"]}
