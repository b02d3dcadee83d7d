"""The pages behind a participant's private link."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from survey import (
    card,
    completion,
    delivery,
    flow,
    learning,
    markup,
    reception,
    recruitment,
    results,
    studies,
    visits,
)
from survey.forms import BackgroundForm
from survey.models import Participant
from survey.views.errors import json_error
from survey.views.public import card_of, closed_page

View = Callable[..., HttpResponse]

UNKNOWN_LINK = gettext_noop("This link is not known here. Please use the link that you were given.")


def with_participant(view: View) -> View:
    """Find the participant of a private link, and answer in the participant's language."""

    @wraps(view)
    @never_cache
    def wrapped(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponse:
        found = visits.participant_of(token)
        if found is None:
            return unknown_link(request)
        with language_of(request, found):
            return view(request, found, *args, **kwargs)

    return wrapped


def language_of(request: HttpRequest, participant: Participant) -> translation.override:
    """The participant's language, while the request is answered."""
    _follow_language(request, participant)
    request.LANGUAGE_CODE = participant.language
    return translation.override(participant.language)


def _follow_language(request: HttpRequest, participant: Participant) -> None:
    """The language switch of the page moves the participant, who otherwise keeps the first."""
    wanted = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if wanted != participant.language and wanted in participant.study.languages:
        Participant.objects.filter(pk=participant.pk).update(language=wanted)
        participant.language = wanted


def unknown_link(request: HttpRequest) -> HttpResponse:
    message = _(UNKNOWN_LINK)
    if request.path.endswith(("/trials", "/responses")):  # the short path knows no language yet
        with translation.override(translation.get_language_from_request(request)):
            return json_error("unknown_link", _(UNKNOWN_LINK), 404)
    context = {"title": _("Unknown link"), "text": message}
    return render(request, "survey/message.html", context, status=404)


def urls_of(participant: Participant) -> dict[str, str]:
    return {name: url.replace("TOKEN", participant.token) for name, url in _addresses().items()}


@cache
def _addresses() -> dict[str, str]:
    """The addresses of a private link, by step too: they are asked for with every response."""
    names = ("trial_page", "trials", "responses", "background", "debrief", "withdraw")
    urls = {name: reverse(name, args=["TOKEN"]) for name in names}
    return urls | {"withdrawn": urls["withdraw"], "closed": urls["trial_page"]}


def _page_of(participant: Participant) -> str:
    """The page on which the participant's current step takes place."""
    names = {
        flow.Step.BACKGROUND: "background",
        flow.Step.DEBRIEF: "debrief",
        flow.Step.WITHDRAWN: "withdraw",
    }
    return urls_of(participant)[names.get(flow.step_of(participant), "trial_page")]


def _frame(participant: Participant) -> dict[str, Any]:
    """What the head of every page needs."""
    study = {
        **card_of(participant.study),
        "languages": participant.study.languages,
        "is_learning": studies.is_learning(participant.version),
    }
    return {
        "study": study,
        "withdraw_url": reverse("withdraw", args=[participant.token]),
        "private_link": reverse("trial_page", args=[participant.token]),
        "total": participant.planned,
        "done": visits.responses_of(participant),
    }


@require_GET
@with_participant
def trial_page(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The one page of all trials; what it shows comes as JSON."""
    step = flow.step_of(participant)
    if step == flow.Step.CLOSED:
        message = _("This study is closed. Your answers so far are kept. Thank you.")
        return closed_page(request, participant.study, message)
    if step != flow.Step.TRIALS:
        return redirect(_page_of(participant))
    urls = urls_of(participant)
    # The first plan comes with the page: one round trip less before the first stimuli.
    config = {
        "urls": urls,
        "plan": delivery.state(participant, urls, visits.ahead(participant)),
        "fullscreen": studies.frozen(participant.version).study.fullscreen,
    }
    return render(request, "survey/trial.html", _frame(participant) | {"config": config})


@require_http_methods(["GET", "POST"])
@with_participant
def background(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The background questions; sending them completes the participant."""
    if flow.step_of(participant) != flow.Step.BACKGROUND:
        return redirect(_page_of(participant))
    questions = studies.frozen(participant.version).study.background
    if not questions:  # nothing to ask, so nothing to press
        flow.finish(participant, {})
        return redirect(_page_of(visits.participant_of(participant.token) or participant))
    form = BackgroundForm(
        request.POST if request.method == "POST" else None,
        questions=questions,
        language=participant.language,
    )
    if request.method == "POST" and form.is_valid():
        flow.finish(participant, form.answers())
        return HttpResponseRedirect(reverse("debrief", args=[participant.token]), status=303)
    status = 422 if form.errors else 200
    context = _frame(participant) | {"form": form}
    return render(request, "survey/background.html", context, status=status)


@require_GET
@with_participant
def debrief(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The own result and the truth, once the last response is locked."""
    if flow.step_of(participant) != flow.Step.DEBRIEF:
        return redirect(_page_of(participant))
    context = _frame(participant) | {
        "debrief_html": markup.render(participant.study.text("debrief", participant.language)),
        "result": results.of(participant),
        "credits_url": reverse("credits", args=[participant.study.slug]),
        "clues": learning.CLUES if studies.is_learning(participant.version) else (),
        "card_url": reverse("score_card", args=[participant.token]),
    }
    back = completion.way_back(participant)
    return reception.render_with_way_back(request, "survey/debrief.html", context, back)


@require_GET
@with_participant
def score_card(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The picture with which somebody shares the score, once everything is locked."""
    score = None
    if flow.step_of(participant) == flow.Step.DEBRIEF and recruitment.offers_card(participant):
        score = results.own_score(participant)
    if score is None:
        raise Http404
    address = request.get_host() + reverse("entry", args=[participant.study.slug])
    response = HttpResponse(card.png(score, address.rstrip("/")), content_type="image/png")
    response["Content-Disposition"] = 'inline; filename="honmono.png"'
    return response


@require_http_methods(["GET", "POST"])
@with_participant
def withdraw(request: HttpRequest, participant: Participant) -> HttpResponse:
    """Ask, then erase."""
    if request.method == "POST":
        flow.withdraw(participant)
        return HttpResponseRedirect(reverse("withdraw", args=[participant.token]), status=303)
    context = _frame(participant) | {"withdrawn": participant.withdrawn_at is not None}
    return render(request, "survey/withdraw.html", context)
