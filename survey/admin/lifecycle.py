"""From draft to closed: the checklist, the audit, going live, pausing, closing, the frozen plan."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET

from survey import audits, checklist, design, faults, roles, studies, trail
from survey.admin import pages, places, study_forms
from survey.admin.rows import mark_of
from survey.models import Study
from survey.roles import Right

State = Study.State


@pages.page("checklist", right=Right.DESIGN, tab=lazy("Checklist"), place=10)
def show_checklist(request: HttpRequest, study: Study) -> HttpResponse:
    """What still stands between the study and going live."""
    items = checklist.of(study)
    rows = [_row(study, item) for item in items]
    context = {
        "title": _("Checklist"),
        "rows": rows,
        "summary": checklist.summary(items),
        "ready": checklist.may_go_live(items),
        "frozen": study.versions.last(),
        "steps": [
            (pages.address(study, name), step["button"])
            for name, step in STEPS.items()
            if study.state in step["states"] and roles.may(request.user, Right.RUN, study)
        ],
    }
    return pages.render(request, study, "admin/checklist.html", context)


def _row(study: Study, item: checklist.Item) -> dict[str, Any]:
    """An item with the way to each thing that it lacks."""
    url = study_forms.address(study) if item.page == "change" else pages.address(study, item.page)
    lacks = [(_words(lack), url + _anchor(lack)) for lack in item.missing]
    look = f"{url}#id_{item.field}" if item.field else url
    return {"item": item, "lacks": lacks, "url": lacks[0][1] if lacks else look}


def _words(lack: checklist.Lack) -> str:
    if lack.fault is None:
        return lack.words
    place = places.in_words(lack.fault.place)
    return _("%(place)s: %(fault)s") % {"place": place, "fault": faults.in_words(lack.fault)}


def _anchor(lack: checklist.Lack) -> str:
    """To the mark of a fault, or to the field."""
    if lack.fault is not None:
        return "#" + quote(mark_of(lack.fault.place))
    return f"#id_{lack.field}" if lack.field else ""


STEPS: dict[str, dict[str, Any]] = {
    "go_live": {
        "states": (State.DRAFT, State.PAUSED),
        "act": studies.go_live,
        "title": lazy("Go live"),
        "button": lazy("Go live"),
        "text": lazy(
            "The design is frozen as it is now, with the images and the analysis plan, and "
            "participants may enter. A later change becomes a new version, and the data say so."
        ),
    },
    "pause": {
        "states": (State.LIVE,),
        "act": studies.pause,
        "title": lazy("Pause"),
        "button": lazy("Pause"),
        "text": lazy("Nobody new may enter. Those who have started may finish."),
    },
    "close": {
        "states": (State.LIVE, State.PAUSED),
        "act": studies.close,
        "title": lazy("Close for good"),
        "button": lazy("Close"),
        "text": lazy(
            "Nobody may enter or go on any more, and the study cannot be opened again. Hashes "
            "of panel IDs are erased."
        ),
    },
}


def _step(name: str) -> Callable[..., HttpResponse]:
    step = STEPS[name]

    def view(request: HttpRequest, study: Study) -> HttpResponse:
        """Ask, then do it."""
        error: Any = ""
        if request.method == "POST":
            error = _act(request, study, name)
            if not error:
                return HttpResponseRedirect(pages.address(study, "checklist"))
        context = {"title": step["title"], "step": step, "error": error}
        status = 409 if error else 200
        return pages.render(request, study, "admin/confirm_step.html", context, status)

    return view


def _act(request: HttpRequest, study: Study, name: str) -> str:
    """Change the state; returns what is in the way."""
    try:
        STEPS[name]["act"](study)
    except studies.StudyError as error:
        return str(error)
    except design.DesignError as error:
        return faults.as_text(error.faults)
    trail.note(study, name)
    text = _("The study is now: %(state)s.") % {"state": study.get_state_display()}
    messages.success(request, text)
    return ""


for _name in STEPS:
    pages.page(_name, right=Right.RUN)(_step(_name))


@pages.page("audit", right=Right.DESIGN)
def audit(request: HttpRequest, study: Study) -> HttpResponse:
    """Look for ways to tell the truth without looking at the images."""
    error = ""
    if request.method == "POST":
        try:
            audits.run(study)
            trail.note(study, "audit")
            return HttpResponseRedirect(request.path)
        except studies.StudyError as fault:
            error = str(fault)
        except design.DesignError as fault:
            error = faults.as_text(fault.faults)
    context = {
        "title": _("Leak audit"),
        "audit": study.audits.last(),
        "is_current": studies.last_audit(study) is not None,
        "error": error,
    }
    return pages.render(request, study, "admin/audit.html", context, 409 if error else 200)


@require_GET
def _preregistration(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """A frozen design with its plan, as a file to deposit and cite."""
    version = study.versions.filter(number=number).first()
    if version is None:
        raise Http404
    trail.note(study, "preregistration", version=number)
    content = {
        "design_hash": version.design_hash,
        "hash_of": "SHA-256 of the member `canonical`, as UTF-8 text",
        "study": study.slug,
        "version": version.number,
        "frozen_at": version.frozen_at.isoformat(),
        "canonical": version.canonical,
        "design": json.loads(version.canonical),
    }
    text = json.dumps(content, ensure_ascii=False, indent=1)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    name = f"{study.slug}-v{number}-{version.design_hash[:12]}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


pages.page("preregistration", right=Right.TRUTH, route="preregistration/<int:number>.json")(
    _preregistration
)


@pages.page("toml", right=Right.SEE, route="design.toml")
def as_toml(request: HttpRequest, study: Study) -> HttpResponse:
    """The design as a study file."""
    try:
        text = design.dumps(studies.design_of(study))
    except design.DesignError as error:
        told = faults.as_text(error.faults)
        return HttpResponse(told, status=409, content_type="text/plain; charset=utf-8")
    response = HttpResponse(text, content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}.toml"'
    return response
