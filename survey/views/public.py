"""The pages that anybody may open: what a study is about, the consent, whose images they are."""

from typing import Any

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from survey import enrolment, image_set, learning, markup, reception, recruitment
from survey.forms import ConsentForm
from survey.models import Study, media_path


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The studies that are open now."""
    live = Study.objects.filter(state=Study.State.LIVE)
    studies_open = [s for s in live if recruitment.rules_of(s).open_link and _is_open(s)]
    return render(request, "survey/home.html", {"studies": [card_of(s) for s in studies_open]})


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
        return closed_page(request, study, str(closed))
    return HttpResponseRedirect(reverse("trial_page", args=[participant.token]), status=303)


def _entry_page(
    request: HttpRequest, study: Study, form: ConsentForm, status: int = 200
) -> HttpResponse:
    try:
        enrolment.check_open(study)
    except enrolment.NotOpenError as closed:
        return closed_page(request, study, str(closed))
    context = {
        "study": {
            **card_of(study),
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


def closed_page(request: HttpRequest, study: Study, message: str) -> HttpResponse:
    back = reception.screened_out(request, study)
    context = {"study": card_of(study), "message": message, "way_back": back}
    return render(request, "survey/closed.html", context, status=403)


def card_of(study: Study) -> dict[str, Any]:
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
        request, "survey/credits.html", {"study": card_of(study), "rows": image_set.credits(study)}
    )


@require_GET
def privacy(request: HttpRequest, slug: str = "") -> HttpResponse:
    """What is stored, in plain words; with a study also whom to ask."""
    study = get_object_or_404(Study, slug=slug) if slug else None
    if study is not None and study.state == Study.State.DRAFT:
        raise Http404
    known = {"study": card_of(study), "contact": study.text("contact")} if study else {}
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
