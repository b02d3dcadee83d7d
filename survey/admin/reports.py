"""Analyse from the admin: ask for a report, watch it run, read it, keep it."""

import io
import zipfile
from typing import Any

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django import forms
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from survey import tasks, trail
from survey.admin import pages
from survey.models import Report, Study
from survey.roles import Right

#: A report carries its styles inline and is a page for itself: it may show, and nothing else.
SANDBOX = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "font-src": ["data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
    "sandbox": [],
}


class ReportForm(forms.Form):
    """Whose data, and in which languages."""

    languages = forms.MultipleChoiceField(
        label=gettext_lazy("Languages"),
        choices=settings.LANGUAGES,
        initial=tasks.LANGUAGES,
        widget=forms.CheckboxSelectMultiple,
    )
    completed_only = forms.BooleanField(
        label=gettext_lazy("only those who completed"), required=False
    )
    include_simulated = forms.BooleanField(
        label=gettext_lazy("simulated participants too, to try things out"), required=False
    )


@pages.page("reports", right=Right.RESPONSES, tab=gettext_lazy("Reports"), place=70)
def reports(request: HttpRequest, study: Study) -> HttpResponse:
    """Every report of the study, and the button for a new one."""
    is_asked = request.method == "POST"
    people = study.participants.filter(is_simulated=False).exists()
    initial = {"languages": list(tasks.LANGUAGES), "include_simulated": not people}
    form = ReportForm(request.POST if is_asked else None, initial=initial)
    if is_asked and form.is_valid():
        report = tasks.ask(study, Report.Kind.REPORT, form.cleaned_data, request.user)
        trail.note(study, "report", **form.cleaned_data)
        return HttpResponseRedirect(pages.address(study, "report", report.pk))
    made = study.reports.filter(kind=Report.Kind.REPORT).select_related("asked_by")
    context = {
        "title": _("Reports"),
        "form": form,
        "reports": [_row(study, report) for report in made],
    }
    status = 422 if form.errors else 200
    return pages.render(request, study, "admin/reports/reports.html", context, status)


@pages.page("report", right=Right.RESPONSES, route="reports/<int:number>/")
@require_GET
def report(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """One report: how far it is, what it found, what it was made from."""
    row = _row(study, _report(study, number))
    context = {"title": _("Report %(number)s") % {"number": number}, **row}
    return pages.render(request, study, "admin/reports/report.html", context)


@pages.page("report_live", right=Right.RESPONSES, route="reports/<int:number>/live/")
@require_GET
def report_live(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    """How far it is now."""
    return render(request, "admin/reports/_live.html", _row(study, _report(study, number)))


@pages.page(
    "report_page", right=Right.RESPONSES, route="reports/<int:number>/<slug:language>/report.html"
)
@require_GET
@csp(SANDBOX)
def report_page(request: HttpRequest, study: Study, number: int, language: str) -> Any:
    """The report itself, under a policy of its own."""
    made = _finished(study, number, language)
    file = made.folder / language / "report.html"
    return FileResponse(file.open("rb"), content_type="text/html; charset=utf-8")


@pages.page(
    "report_files", right=Right.RESPONSES, route="reports/<int:number>/<slug:language>/files.zip"
)
@require_GET
def report_files(request: HttpRequest, study: Study, number: int, language: str) -> Any:
    """Page, tables, figures and results.json, with the frozen plan."""
    made = _finished(study, number, language)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((made.folder / language).rglob("*")):
            archive.write(path, path.relative_to(made.folder / language))
        if (plan := made.folder / "plan.json").exists():
            archive.write(plan, "plan.json")
    out.seek(0)
    name = f"{study.slug}-report-{number}-{language}.zip"
    return FileResponse(out, as_attachment=True, filename=name, content_type="application/zip")


def _report(study: Study, number: int) -> Report:
    return get_object_or_404(study.reports, pk=number, kind=Report.Kind.REPORT)


def _finished(study: Study, number: int, language: str) -> Report:
    made = _report(study, number)
    if language not in made.result:
        raise Http404
    return made


def _row(study: Study, made: Report) -> dict[str, Any]:
    """What the pages say of a report."""
    names = dict(settings.LANGUAGES)
    shown = made.result.get(get_language() or "") or next(iter(made.result.values()), {})
    since = (made.finished_at or timezone.now()) - made.asked_at
    return {
        "study": study,
        "report": made,
        "url": pages.address(study, "report", made.pk),
        "live_url": pages.address(study, "report_live", made.pk),
        "is_silent": tasks.is_silent(made),
        "is_open": made.finished_at is None and not tasks.is_silent(made),
        "seconds": round(since.total_seconds()),
        "claims": shown.get("claims", []),
        "counts": shown.get("counts", {}),
        "settings": _settings(shown.get("settings", {})),
        "pages": [
            {
                "name": names[language],
                "language": language,
                "url": pages.address(study, "report_page", made.pk, language),
                "files": pages.address(study, "report_files", made.pk, language),
            }
            for language in made.result
        ],
    }


def _settings(used: dict[str, Any]) -> list[tuple[str, str]]:
    """The settings of the analysis, those first that shape a result; no path of this machine."""
    hidden = {"path", "preset", "rules_file", "jobs", "lang"}
    shown = {name: value for name, value in used.items() if name not in hidden}
    return [(name, _value(value)) for name, value in shown.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return str(value)
