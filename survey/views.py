"""The pages and the two endpoints of a participant. Each reads the request, calls, renders."""

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.conf import settings
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from survey import (
    card,
    completion,
    delivery,
    enrolment,
    flow,
    learning,
    markup,
    reception,
    recruitment,
    results,
    studies,
)
from survey.forms import BackgroundForm, ConsentForm
from survey.models import Participant, Study, media_path

View = Callable[..., HttpResponse]

MAX_BODY = 20_000

UNKNOWN_LINK = gettext_noop("This link is not known here. Please use the link that you were given.")


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The studies that are open now."""
    live = Study.objects.filter(state=Study.State.LIVE)
    studies_open = [s for s in live if recruitment.rules_of(s).open_link and _is_open(s)]
    return render(request, "survey/home.html", {"studies": [_card(s) for s in studies_open]})


@require_GET
@never_cache
def entry(request: HttpRequest, slug: str) -> HttpResponse:
    """What the study is about, and the consent. Looking at it creates nothing."""
    study = get_object_or_404(Study, slug=slug)
    reply = reception.reply(request, study)
    return reply or _entry_page(request, study, ConsentForm(minimum_age=study.minimum_age))


@require_POST
@never_cache
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Consent is given: make the participant and go to the private link."""
    study = get_object_or_404(Study, slug=slug)
    reply = reception.reply(request, study)
    if reply is not None:
        return reply
    form = ConsentForm(request.POST, minimum_age=study.minimum_age)
    if not form.is_valid():
        return _entry_page(request, study, form, status=422)
    if reception.is_too_small(study, form.cleaned_data["viewport"]):
        return _entry_page(request, study, form, status=422)
    language = study.language_for()
    try:
        participant = enrolment.start(
            study=study,
            language=language,
            start_key=form.cleaned_data["start_key"],
            consent_version=study.text("consent_version", language),
            arrival=reception.arrival_of(request, study),
            viewport=form.cleaned_data["viewport"],
            is_simulated=enrolment.is_simulation_pass(request.POST.get("simulated", "")),
            flags=form.flags(),
        )
    except enrolment.NotOpenError as closed:
        return _closed_page(request, study, str(closed))
    return HttpResponseRedirect(reverse("trial_page", args=[participant.token]), status=303)


def _entry_page(
    request: HttpRequest, study: Study, form: ConsentForm, status: int = 200
) -> HttpResponse:
    try:
        enrolment.check_open(study)
    except enrolment.NotOpenError as closed:
        return _closed_page(request, study, str(closed))
    context = {
        "study": {
            **_card(study),
            "minimum_age": study.minimum_age,
            "contact": study.text("contact"),
            "consent_version": study.text("consent_version"),
            "consent_html": markup.render(study.text("consent")),
            "languages": study.languages,
        },
        "form": form,
        "action": reverse("start", args=[study.slug]),
        "consent_download_url": reverse("consent_text", args=[study.slug]),
        "smallest": None if study.allow_small_screens else reception.SMALLEST,
    }
    back = None if study.allow_small_screens else reception.screened_out(request, study)
    page = reception.render_with_way_back(request, "survey/entry.html", context, back)
    page.status_code = status
    return page


def _closed_page(request: HttpRequest, study: Study, message: str) -> HttpResponse:
    back = reception.screened_out(request, study)
    context = {"study": _card(study), "message": message, "way_back": back}
    return render(request, "survey/closed.html", context, status=403)


def _card(study: Study) -> dict[str, Any]:
    return {
        "title": study.title,
        "summary": study.text("summary"),
        "duration_minutes": study.duration_minutes,
        "url": reverse("entry", args=[study.slug]),
        "privacy_url": reverse("study_privacy", args=[study.slug]),
        "is_learning": study.mode == "learning",
    }


def _is_open(study: Study) -> bool:
    try:
        enrolment.check_open(study)
    except enrolment.NotOpenError:
        return False
    return True


@require_GET
def consent_text(request: HttpRequest, slug: str) -> HttpResponse:
    """The text of the consent, to keep."""
    study = get_object_or_404(Study, slug=slug)
    if study.state == Study.State.DRAFT:
        raise Http404
    response = HttpResponse(study.text("consent"), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-consent.md"'
    return response


@require_GET
def credits(request: HttpRequest, slug: str) -> HttpResponse:
    """Who made the images. Names only, in no order that tells which image is whose."""
    study = get_object_or_404(Study, slug=slug)
    return render(
        request, "survey/credits.html", {"study": _card(study), "rows": studies.credits(study)}
    )


@require_GET
def privacy(request: HttpRequest, slug: str = "") -> HttpResponse:
    """What is stored, in plain words; with a study also whom to ask."""
    study = get_object_or_404(Study, slug=slug) if slug else None
    if study is not None and study.state == Study.State.DRAFT:
        raise Http404
    known = {"study": _card(study), "contact": study.text("contact")} if study else {}
    return render(request, "survey/privacy.html", known)


@require_GET
def clues(request: HttpRequest) -> HttpResponse:
    """What is known to give AI images away: the glossary of the learning mode."""
    return render(request, "survey/clues.html", {"clues": learning.CLUES})


@require_GET
def image(request: HttpRequest, key: str) -> FileResponse:
    """A stimulus under its random key. The headers are the same for every one of them."""
    path = media_path("stimuli", f"{key}.jpg")
    if not key.isalnum() or not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), content_type="image/jpeg")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    del response["Content-Disposition"]
    return response


@require_GET
def language(request: HttpRequest, code: str) -> HttpResponse:
    """Remember the language and go back; a participant's pages follow at once."""
    target = request.GET.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        target = "/"
    response = HttpResponseRedirect(target)
    if code not in dict(settings.LANGUAGES):
        raise Http404
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=31_536_000,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        samesite="Lax",
    )
    return response


# --- with a private link -----------------------------------------------------------------------


def with_participant(view: View) -> View:
    """Find the participant of a private link, and answer in the participant's language."""

    @wraps(view)
    @never_cache
    def wrapped(request: HttpRequest, token: str, *args: Any, **kwargs: Any) -> HttpResponse:
        found = flow.participant_of(token)
        if found is None:
            return _unknown_link(request)
        with _language_of(request, found):
            return view(request, found, *args, **kwargs)

    return wrapped


def _language_of(request: HttpRequest, participant: Participant) -> translation.override:
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


def _unknown_link(request: HttpRequest) -> HttpResponse:
    message = _(UNKNOWN_LINK)
    if request.path.endswith(("/trials", "/responses")):  # the short path knows no language yet
        with translation.override(translation.get_language_from_request(request)):
            return _json_error("unknown_link", _(UNKNOWN_LINK), 404)
    context = {"title": _("Unknown link"), "text": message}
    return render(request, "survey/message.html", context, status=404)


def _urls(participant: Participant) -> dict[str, str]:
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
    return _urls(participant)[names.get(flow.step_of(participant), "trial_page")]


def _frame(participant: Participant) -> dict[str, Any]:
    """What the head of every page needs."""
    study = {
        **_card(participant.study),
        "languages": participant.study.languages,
        "is_learning": studies.is_learning(participant.version),
    }
    return {
        "study": study,
        "withdraw_url": reverse("withdraw", args=[participant.token]),
        "private_link": reverse("trial_page", args=[participant.token]),
        "total": participant.planned,
        "done": flow.responses_of(participant),
    }


@require_GET
@with_participant
def trial_page(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The one page of all trials; what it shows comes as JSON."""
    step = flow.step_of(participant)
    if step == flow.Step.CLOSED:
        message = _("This study is closed. Your answers so far are kept. Thank you.")
        return _closed_page(request, participant.study, message)
    if step != flow.Step.TRIALS:
        return redirect(_page_of(participant))
    urls = _urls(participant)
    # The first plan comes with the page: one round trip less before the first stimuli.
    config = {"urls": urls, "plan": delivery.state(participant, urls, flow.ahead(participant))}
    return render(request, "survey/trial.html", _frame(participant) | {"config": config})


@require_GET
@with_participant
def trials(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The next few trials."""
    return JsonResponse(delivery.state(participant, _urls(participant), flow.ahead(participant)))


@csrf_exempt  # the private token in the address is the credential; JSON is demanded
@require_POST
def responses(request: HttpRequest, token: str) -> HttpResponse:
    """Store one response; acknowledged only after the commit."""
    payload = _payload(request)
    visit = flow.visit(token, payload and payload.get("token"))
    if visit is None:
        return _unknown_link(request)
    with _language_of(request, visit.participant):
        return _recorded(visit, payload)


def _recorded(visit: flow.Visit, payload: dict[str, Any] | None) -> JsonResponse:
    if payload is None:
        return _json_error("bad_request", _("This answer could not be read."), 400)
    try:
        recorded = flow.record(visit, payload)
    except flow.FlowError as error:
        return _json_error(error.code, error.message, error.status)
    participant = visit.participant
    answer = {
        "stored": True,
        "replayed": recorded.replayed,
        "feedback": delivery.feedback(participant, recorded),
    }
    return JsonResponse(answer | delivery.state(participant, _urls(participant), recorded.ahead))


def _payload(request: HttpRequest) -> dict[str, Any] | None:
    if request.content_type != "application/json" or len(request.body) > MAX_BODY:
        return None
    try:
        payload = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _json_error(code: str, message: str, status: int) -> JsonResponse:
    return JsonResponse({"error": code, "message": message}, status=status)


@require_http_methods(["GET", "POST"])
@with_participant
def background(request: HttpRequest, participant: Participant) -> HttpResponse:
    """The background questions; sending them completes the participant."""
    if flow.step_of(participant) != flow.Step.BACKGROUND:
        return redirect(_page_of(participant))
    questions = studies.frozen(participant.version).study.background
    if not questions:  # nothing to ask, so nothing to press
        flow.finish(participant, {})
        return redirect(_page_of(flow.participant_of(participant.token) or participant))
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


# --- errors ------------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Bad request"), _("This request could not be understood."), 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Not allowed"), _("You may not open this page."), 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = _("This form is too old or your browser refuses cookies. Go back, reload and try again.")
    return _message(request, _("The form was not accepted"), text, 403)


def locked_out(request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
    text = _("There were too many wrong passwords. Please wait a quarter of an hour.")
    return _message(request, _("Sign-in is locked"), text, 429)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _message(request, _("Not found"), _("There is nothing at this address."), 404)


def server_error(request: HttpRequest) -> HttpResponse:
    text = _("Something went wrong on our side. Nothing that was stored is lost. Please try again.")
    return _message(request, _("An error"), text, 500)


def _message(request: HttpRequest, title: str, text: str, status: int) -> HttpResponse:
    return render(request, "survey/message.html", {"title": title, "text": text}, status=status)
